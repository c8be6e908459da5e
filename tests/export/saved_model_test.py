"""Exported graphs give the Restorer's numbers where this package is not."""

import hashlib
import io
import json
import os
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest

from tests.testing import run_tool
from tf_defocus.export import saved_model
from tf_defocus.export.served_images import decode_images
from tf_defocus.models import create_model, presets, weights
from tf_defocus.models.precision import copy_in
from tf_defocus.restoration.restorer import Restorer

tf = pytest.importorskip("tensorflow", reason="exports need TensorFlow")

SIZES = {"one_pixel": (1, 1), "odd": (21, 34), "whole": (16, 24)}
# A network, what makes it small, and a factor that gives its fresh weights effect but
# does not throw most pixels out of [0, 1].
SINGLE = ("kpac_2level", {"base_filters": 3}, 4.0)
DUAL = (
    "ifan_dual",
    {"base_filters": 4, "num_iterations": 1, "num_residual_units": 1},
    1.0,
)

# Runs every signature of the folders given on the images of the file given.
WITHOUT_THE_PACKAGE = """
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "tf_defocus":
            raise ImportError(name + " is blocked in this test")

sys.meta_path.insert(0, Block())
import numpy as np
import tensorflow as tf

source, target, *folders = sys.argv[1:]
images, results = dict(np.load(source)), {}
for folder in folders:
    loaded = tf.saved_model.load(folder)  # its variables live as long as this does
    for key, batch in images.items():
        signature, size = key.split("/")
        call = loaded.signatures[signature]
        names = call.structured_input_signature[1]
        views = dict(zip(("blurred", "left", "right"), batch))
        if signature == "encoded":
            views = {
                name: tf.constant([tf.io.encode_png(image).numpy() for image in view])
                for name, view in views.items()
            }
        outputs = call(**{name: tf.constant(views[name]) for name in names})
        for name, value in outputs.items():
            if name == "encoded_bytes":
                dtype = batch.dtype.name
                value = [tf.io.decode_png(png, dtype=dtype) for png in value]
            results[f"{folder}/{key}/{name}"] = np.asarray(value)
    try:
        call = loaded.signatures["serving_default"]
        call(**{name: tf.zeros((1, 8, 8, 3), tf.float64) for name in names})
        results[f"{folder}/float64"] = np.array("accepted")
    except Exception as error:
        results[f"{folder}/float64"] = np.array(str(error))
np.savez(target, **results)
"""


def save_small_preset(folder, case):
    """A preset whose network alters its input by far more than the tolerance."""
    name, overrides, gain = case
    model = create_model(name, **overrides)
    for weight in model.trainable_weights:
        if len(weight.shape) > 1:
            weight.assign(weight * gain)
    presets.save_preset(model, folder, name, overrides)
    return presets.load_preset(folder)


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """A single-view model and its SavedModel, exported by the command."""
    folder = tmp_path_factory.mktemp("single")
    model = save_small_preset(folder / "preset", SINGLE)
    served = folder / "served" / "1"
    arguments = ("--preset", folder / "preset", "--output", served)
    assert run_tool("export", *arguments, "--max_megapixels", "0.01") in (None, 0)
    return model, served


@pytest.fixture(scope="module")
def dual(tmp_path_factory):
    """A dual-view model and its SavedModel."""
    folder = tmp_path_factory.mktemp("dual")
    model = save_small_preset(folder / "preset", DUAL)
    saved_model.export_saved_model(model, folder / "served", "dual")
    return model, folder / "served"


@pytest.fixture(scope="module")
def images():
    """signature/size -> (views, batch, height, width, 3)."""
    rng = np.random.default_rng(7)
    found = {}
    for name, size in SIZES.items():
        levels = rng.integers(0, 65536, (3, 2, *size, 3)).astype("uint16")
        found[f"serving_default/{name}"] = levels / np.float32(65535)
        found[f"uint8/{name}"] = (levels >> 8).astype("uint8")
    found["encoded/8_bits"] = found["uint8/odd"]
    found["encoded/16_bits"] = levels
    return found


@pytest.fixture(scope="module")
def outputs(single, dual, images, tmp_path_factory):
    """What a process without tf_defocus computes."""
    folder = tmp_path_factory.mktemp("process")
    np.savez(folder / "images.npz", **images)
    files = (folder / "images.npz", folder / "outputs.npz", single[1], dual[1])
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_PACKAGE, *map(str, files)],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(np.load(folder / "outputs.npz"))


@pytest.fixture(params=["single", "dual"])
def exported(request):
    """Each of the two."""
    return request.getfixturevalue(request.param)


def restored(model, batch):
    """The batch by the `Restorer`, one photograph at a time."""
    restorer = Restorer(model)
    count = len(restorer.view_names)
    rows = [
        restorer.restore(**dict(zip(("blurred", "left", "right"), views[:count])))
        for views in np.swapaxes(batch, 0, 1)
    ]
    return np.stack(rows)


SMALL = {
    "lakdnet_small_dual": {"base_filters": 4, "num_blocks": (1, 1, 1, 1)},
    "mdp": {"base_filters": 2},  # has other outputs, too
    "nrknet": {"base_filters": 2, "num_kernels": 2},
    "rdpd": {"base_filters": 2},  # told how far from the middle a pixel lies
}


@pytest.mark.parametrize("name", SMALL)
def test_the_graph_of_each_kind_restores_as_the_restorer(name):
    model = create_model(name, **SMALL[name])
    if name == "nrknet":
        model.blur.bias.assign(np.zeros(3))  # it would brighten all beyond 1
    graph = saved_model.RestorationGraph(model, limit=10**6)
    rng = np.random.default_rng(9)
    views = {k: rng.uniform(0, 0.2, (45, 70, 3)) for k in model.view_names}
    views = {k: view.astype("float32") for k, view in views.items()}
    found = graph.restore_floats({k: tf.constant(v[None]) for k, v in views.items()})
    assert list(found) == ["deblurred"]
    expected = Restorer(model).restore(**views)
    assert expected.std() > 50 * saved_model.PARITY_TOLERANCE
    np.testing.assert_allclose(
        found["deblurred"][0], expected, atol=saved_model.PARITY_TOLERANCE
    )


@pytest.mark.parametrize("size", SIZES)
def test_float_signature_equals_the_restorer(exported, outputs, images, size):
    model, folder = exported
    batch = images[f"serving_default/{size}"]
    expected = restored(model, batch)
    if size != "one_pixel":  # the network does something, and clipping does not hide it
        assert np.abs(expected - batch[0]).max() > 1e-2
        assert np.mean((expected > 0) & (expected < 1)) > 0.5
    actual = outputs[f"{folder}/serving_default/{size}/deblurred"]
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, expected, atol=saved_model.PARITY_TOLERANCE)


@pytest.mark.parametrize("key", ["uint8/one_pixel", "uint8/odd", "encoded/8_bits"])
def test_eight_bit_signatures_equal_the_restorer(exported, outputs, images, key):
    model, folder = exported
    expected = restored(model, images[key])
    actual = outputs[f"{folder}/{key}/deblurred"]
    assert actual.dtype == np.uint8
    # A value between two levels may be rounded either way, which is rare.
    difference = np.abs(actual.astype(int) - expected)
    assert difference.max() <= 1
    assert difference.mean() < 1e-2
    if key.startswith("encoded"):
        np.testing.assert_array_equal(outputs[f"{folder}/{key}/encoded_bytes"], actual)


def test_sixteen_bit_files_keep_their_bits(exported, outputs, images):
    model, folder = exported
    key = "encoded/16_bits"
    expected = restored(model, images[key])
    actual = outputs[f"{folder}/{key}/encoded_bytes"]
    assert actual.dtype == expected.dtype == np.uint16
    assert np.abs(actual.astype(int) - expected).max() <= 1
    assert len(np.unique(actual)) > 256
    levels = outputs[f"{folder}/{key}/deblurred"]
    assert np.abs(levels - expected / 257).max() <= 0.5 + 1 / 257


def test_other_dtypes_are_refused_by_name(exported, outputs):
    message = str(outputs[f"{exported[1]}/float64"])
    assert "float" in message and "double" in message, message


def test_graph_holds_no_custom_operation(dual):
    assert b"TfDefocus" not in (dual[1] / "saved_model.pb").read_bytes()


def test_card_states_weights_signatures_and_parity(exported):
    model, folder = exported
    card = json.loads((folder / saved_model.CARD).read_text())
    digest = hashlib.sha256()
    for name, array in zip(weights.variable_names(model), model.get_weights()):
        digest.update(name.encode() + array.tobytes())
    assert card["weights_sha256"] == digest.hexdigest()
    assert set(card["signatures"]) == {"serving_default", "uint8", "encoded"}
    assert tuple(card["signatures"]["uint8"]["inputs"]) == model.view_names
    assert 0 <= card["parity"]["max_error"] < 1e-5
    assert card["model"] == model.name


def test_parity_of_other_weights_fails(single):
    model, folder = single
    other = create_model(SINGLE[0], **SINGLE[1])
    with pytest.raises(ArithmeticError, match="must agree with the Restorer"):
        saved_model.measure_parity(other, folder)
    assert saved_model.measure_parity(model, folder)["max_error"] < 1e-5


def test_graphs_of_16_bits_are_held_to_their_own_rounding(single, tmp_path):
    half, folder = copy_in(single[0], "bfloat16"), tmp_path / "served"
    card = saved_model.export_saved_model(half, folder, "half")
    assert card["parity"]["max_error"] < saved_model.HALF_TOLERANCES["bfloat16"]
    with pytest.raises(ArithmeticError, match="must agree with the Restorer"):
        saved_model.measure_parity(single[0], folder)


def test_command_refuses_an_existing_folder_in_one_line(single):
    folder = single[1]
    before = (folder / saved_model.CARD).read_bytes()
    preset = folder.parent.parent / "preset"
    said = run_tool("export", "--preset", preset, "--output", folder)
    assert said.endswith("give --overwrite") and "\n" not in said
    assert (folder / saved_model.CARD).read_bytes() == before


def test_overwriting_spares_what_is_no_saved_model(single, tmp_path):
    (tmp_path / "photo.png").write_bytes(b"mine")
    with pytest.raises(FileExistsError, match="no SavedModel"):
        saved_model.export_saved_model(single[0], tmp_path, "single", overwrite=True)
    assert (tmp_path / "photo.png").read_bytes() == b"mine"


def save_empty_graph(model, folder, limit):
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"new")


def test_overwriting_replaces_the_whole_folder(single, tmp_path, monkeypatch):
    monkeypatch.setattr(saved_model, "_save_graph", save_empty_graph)
    monkeypatch.setattr(saved_model, "measure_parity", lambda model, folder: {})
    output = tmp_path / "served"
    output.mkdir()
    for name in ("saved_model.pb", "stale"):
        (output / name).write_bytes(b"old")
    saved_model.export_saved_model(single[0], output, "single", overwrite=True)
    assert sorted(p.name for p in output.iterdir()) == [
        saved_model.CARD,
        "saved_model.pb",
    ]
    assert [p.name for p in tmp_path.iterdir()] == ["served"]


def test_failed_export_leaves_nothing(single, tmp_path, monkeypatch):
    def fail(model, folder):
        raise ArithmeticError("differs")

    monkeypatch.setattr(saved_model, "_save_graph", save_empty_graph)
    monkeypatch.setattr(saved_model, "measure_parity", fail)
    with pytest.raises(ArithmeticError):
        saved_model.export_saved_model(single[0], tmp_path / "served", "single")
    assert not list(tmp_path.iterdir())


def file_bytes(pixels, kind):
    stream = io.BytesIO()
    PIL.Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def test_files_decode_to_their_stored_pixels(rng):
    pixels = rng.integers(0, 256, (9, 12, 3)).astype("uint8")
    jpeg = file_bytes(pixels, "JPEG")
    as_read_elsewhere = np.asarray(PIL.Image.open(io.BytesIO(jpeg)))
    grey = file_bytes(pixels[..., 0], "PNG")
    decoded = decode_images([file_bytes(pixels, "PNG"), jpeg, grey], 10**6).numpy()
    expected = np.stack([pixels, as_read_elsewhere, pixels[..., [0, 0, 0]]])
    np.testing.assert_allclose(decoded * 255, expected, atol=1e-4, rtol=2e-6)


def png_that_claims(width, height):
    png = file_bytes(np.zeros((4, 4, 3), np.uint8), "PNG")
    return png[:16] + width.to_bytes(4, "big") + height.to_bytes(4, "big") + png[24:]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([b""], "Expected PNG or JPEG"),
        ([b"GIF89a" + bytes(40)], "Expected PNG or JPEG"),
        ([png_that_claims(4, 4), png_that_claims(4, 5)], "must have one size"),
        ([png_that_claims(100_000, 1_001)], "may hold 100.0 megapixels"),
        ([png_that_claims(4, 4)[:60]], "PNG"),
    ],
)
def test_bad_files_are_refused(files, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        decode_images(files, 100 * 10**6)


@pytest.mark.parametrize("shape", [(8, 8, 3), (1, 8, 8, 4), (1, 1, 8, 8, 3), ()])
def test_arrays_of_other_ranks_are_refused_and_the_process_lives(single, shape):
    """Without the check a convolution ends the process."""
    served = tf.saved_model.load(str(single[1])).signatures["serving_default"]
    with pytest.raises((tf.errors.InvalidArgumentError, ValueError, TypeError)):
        served(blurred=tf.zeros(shape))
    assert served(blurred=tf.zeros((1, 8, 8, 3)))["deblurred"].shape == (1, 8, 8, 3)
