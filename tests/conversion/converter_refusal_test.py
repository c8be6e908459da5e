"""What is no checkpoint of the network: one line, exit code 1, nothing written."""

import json
import pathlib
import pickle

import numpy as np
import pytest

from tests import hostile_weights
from tests.torch_archive import Call, write_archive, write_tensors
from tf_defocus import Restorer, cli, create_model
from tf_defocus.conversion import assignments_of
from tf_defocus.conversion.converter import ConversionError, convert
from tf_defocus.models import plans

SMALL = {"base_filters": 4}


def saved_list(path, model, rng, **changes):
    """TensorLayer's list of a model's random tensors, some of them replaced."""
    arrays = [rng.normal(size=a.variable.shape) for a in assignments_of(model)]
    values = np.empty(len(arrays), object)
    values[:] = [array.astype("float32") for array in arrays]
    for place, value in changes.items():
        values[int(place.removeprefix("at"))] = value
    np.savez(path, params=values)
    return path


@pytest.fixture(scope="module")
def model():
    return create_model("kpac_2level", variant="released", **SMALL)


def refused(tmp_path, name, paths, words=SMALL):
    """The message of a refusal that leaves nothing behind."""
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConversionError) as caught:
        convert(name, paths, tmp_path / "preset", words)
    assert sorted(tmp_path.rglob("*")) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_wrong_width_depth_and_network_are_named(model, tmp_path, rng):
    path = saved_list(tmp_path / "k.npz", model, rng)
    assert "these are kpac_2level's weights with base_filters=4; add --set" in refused(
        tmp_path, "kpac_2level", [path], {}
    )
    message = refused(tmp_path, "kpac_2level", [path], {"base_filters": 8})
    assert "000|deblur_net/deblur/c0/W_conv2d:0 must have shape (5, 5, 3, 8)" in message
    message = refused(tmp_path, "kpac_3level", [path], {})
    assert "give --model kpac_2level --set base_filters=4" in message
    message = refused(tmp_path, "dpdnet_single", [path], {"base_filters": 2})
    assert "the authors of DPDNet save Keras HDF5 files. Received: a Tensor" in message
    message = refused(tmp_path, "kpac_2level", [path], {"base_filters": 10**6})
    assert message == "base_filters is no plausible argument. Received: 1000000"
    assert "expected a model of" in refused(tmp_path, "kpak", [path])


def test_one_tensor_of_another_shape_is_named(model, tmp_path, rng):
    path = saved_list(tmp_path / "k.npz", model, rng, at5=np.zeros(3, "float32"))
    message = refused(tmp_path, "kpac_2level", [path])
    assert "005|deblur_net/deblur/c2/b_conv2d:0 must have shape (4,)" in message


@pytest.mark.parametrize(
    "value, reason",
    [
        (Call(pathlib.Path.mkdir, pathlib.Path("executed")), "names '"),
        ("text", "its list holds something besides arrays"),
        (np.array(["text"]), "not of numbers"),
        (np.array([None]), "holds something besides|not of numbers|form no list"),
    ],
)
def test_a_list_that_holds_more_than_arrays_is_refused(
    value, reason, model, tmp_path, rng, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    path = saved_list(tmp_path / "k.npz", model, rng, at3=value)
    message = refused(tmp_path, "kpac_2level", [path])
    assert any(part in message for part in reason.split("|")), message
    assert not pathlib.Path("executed").exists()


def test_a_list_written_in_columns_or_big_endian_is_read(model, tmp_path, rng):
    columns = np.asfortranarray(rng.normal(size=(5, 5, 3, 4)).astype("float32"))
    swapped = rng.normal(size=4).astype(">f4")
    path = saved_list(tmp_path / "k.npz", model, rng, at0=columns, at1=swapped)
    convert("kpac_2level", [path], tmp_path / "preset", SMALL)
    layer = Restorer.from_preset(tmp_path / "preset").model.encoder[0][0]
    np.testing.assert_array_equal(layer.kernel, columns)
    np.testing.assert_array_equal(layer.bias, swapped.astype("float32"))


def test_damaged_and_hostile_files_are_refused(model, tmp_path, rng):
    path = saved_list(tmp_path / "k.npz", model, rng)
    path.write_bytes(path.read_bytes()[:-99])
    assert "no readable .npz" in refused(tmp_path, "kpac_2level", [path])
    evil = write_archive(tmp_path / "evil.pth", b"\x80\x02cos\nsystem\n.")
    assert "names 'os.system'" in refused(tmp_path, "ifan", [evil])
    assert "cannot be opened" in refused(tmp_path, "ifan", [tmp_path / "none.pth"])
    empty = write_tensors(tmp_path / "empty.pth", {"w": np.zeros(1, "float32")})
    message = refused(tmp_path, "gkmnet", [empty], {})
    assert "none of the networks'" in message


# pickles that call or grow, bombs, absurd shapes, links into other files
HOSTILE = {
    "gkmnet": [
        f"torch_{name}.pth"
        for name in ("unknown_name", "laugh_pid", "bomb", "huge_count", "cut")
    ],
    "dmenet": [f"npz_{name}.npz" for name in ("object", "bomb", "huge_shape", "cut")],
    "dpdnet_dual": [
        f"h5_{name}.hdf5" for name in ("external_link", "external_raw", "fan")
    ],
}


def test_hostile_files_end_in_one_line_and_leave_nothing(tmp_path, monkeypatch):
    folder = tmp_path / "files"
    folder.mkdir()
    hostile_weights.write_torch(folder)
    hostile_weights.write_hdf5(folder)
    hostile_weights.write_npz(folder)
    for name, files in HOSTILE.items():
        plan = plans.plan_model(name)  # once
        monkeypatch.setattr(plans, "plan_model", lambda *_, made=plan, **__: made)
        for path in (folder / file for file in files):
            with pytest.raises(ConversionError) as caught:
                convert(name, [path], tmp_path / "preset", {})
            line = str(caught.value)
            assert "\n" not in line and len(line) < 1500, (path.name, line)
            assert "is no readable" in line, (path.name, line)
            assert sorted(p.name for p in tmp_path.iterdir()) == ["files"], path.name
        monkeypatch.undo()


def test_an_optimizer_alone_is_called_by_its_name(tmp_path):
    content = {"param_groups": [{"lr": 1e-4}], "state": {}}
    path = write_archive(tmp_path / "Adam.pth", pickle.dumps(content, 2))
    assert "an optimizer's state alone" in refused(tmp_path, "gkmnet", [path], {})


def test_a_folder_with_files_is_kept(model, tmp_path, rng):
    path = saved_list(tmp_path / "k.npz", model, rng)
    (tmp_path / "preset").mkdir()
    (tmp_path / "preset" / "mine").write_text("mine")
    assert "is not empty" in refused(tmp_path, "kpac_2level", [path])


def test_the_command_converts_lists_and_fails_in_one_line(model, tmp_path, rng, capsys):
    path = str(saved_list(tmp_path / "k.npz", model, rng))
    output = tmp_path / "preset"
    command = ["convert", "--checkpoint", path, "--model", "kpac_2level"]
    assert cli.main([*command, "--output", str(output)]) == 1
    assert "base_filters=4" in capsys.readouterr().err
    words = ["--set", "base_filters=4"]
    assert cli.main([*command, "--output", str(output), *words]) == 0
    assert "bit for bit" in capsys.readouterr().out
    card = (output / "card.md").read_text()
    assert "https://github.com/HyeongseokSon1/KPAC" in card and "bit for bit" in card
    config = json.loads((output / "config.json").read_text())
    assert config["overrides"] == {"variant": "released", "base_filters": 4}
    assert cli.main(["convert", "--checkpoint", path, "--list"]) == 0
    assert "000 (5, 5, 3, 4) float32" in capsys.readouterr().out
    assert cli.main([*command, "--output", str(output), *words]) == 1
    assert cli.main(["convert", "--checkpoint", path]) == 2
    words = ["--set", "base_filters"]
    assert cli.main([*command, "--output", str(tmp_path / "b"), *words]) == 1


def test_a_changed_preset_is_refused(model, tmp_path, rng):
    path = saved_list(tmp_path / "k.npz", model, rng)
    convert("kpac_2level", [path], tmp_path / "preset", SMALL)
    data = bytearray((tmp_path / "preset" / "weights.npz").read_bytes())
    data[-1] ^= 1
    (tmp_path / "preset" / "weights.npz").write_bytes(data)
    with pytest.raises(ValueError, match="is damaged: expected sha256"):
        Restorer.from_preset(tmp_path / "preset")
