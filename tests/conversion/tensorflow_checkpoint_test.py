"""TensorFlow's `.index` and `.data` files, written by TensorFlow, read without it."""

import numpy as np
import pytest
import tensorflow as tf

from tf_defocus import create_model
from tf_defocus.conversion import assignments_of, converter, load_official
from tf_defocus.conversion.tensorflow_checkpoint import read_tensorflow_checkpoint
from tf_defocus.models import weights

SMALL = {"base_filters": 2, "recurrent": False}


def save(prefix, arrays):
    """Writes as `tf.train.Saver` does; returns the path of the index."""
    names, values = list(arrays), list(arrays.values())
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=values,
    )
    return prefix.with_name(f"{prefix.name}.index")


@pytest.fixture
def training(rng):
    """What SRN's training saves: variables, moments, steps."""
    model = create_model("srn", variant="released", **SMALL)
    arrays = {
        a.name.removesuffix(":0"): rng.normal(size=a.variable.shape).astype("float32")
        for a in assignments_of(model)
    }
    moments = {f"{n}/{m}": a for n, a in arrays.items() for m in ("Adam", "Adam_1")}
    steps = {"global_step": np.int64(523000), "beta1_power": np.float32(0.9)}
    return model, arrays, {**arrays, **moments, **steps}


def test_every_type_and_shape_is_read_as_tensorflow_reads_it(tmp_path, rng):
    kinds = ["float32", "float64", "float16", "int64", "int32", "int16", "int8"]
    kinds += ["uint8", "bool"]
    arrays = {
        f"scope_{i}/{kind}/{i}": (100 * rng.random((i % 4, 3, 2)[: i % 4])).astype(kind)
        for i in range(200)
        for kind in kinds
    }
    found = read_tensorflow_checkpoint(save(tmp_path / "model-1", arrays))
    theirs = tf.train.load_checkpoint(str(tmp_path / "model-1"))
    assert set(found) == set(theirs.get_variable_to_shape_map()) == set(arrays)
    for name, array in found.items():
        expected = arrays[name]
        assert (array.shape, array.dtype) == (expected.shape, expected.dtype), name
        np.testing.assert_array_equal(np.asarray(array), expected, err_msg=name)
        assert np.asarray(array).tobytes() == theirs.get_tensor(name).tobytes()


def test_srns_training_becomes_a_preset_from_any_of_its_names(training, tmp_path):
    model, arrays, everything = training
    index = save(tmp_path / "deblur.model-523000", everything)
    load_official(model, {f"{name}:0": a for name, a in arrays.items()})
    for number, given in enumerate(
        [
            index,
            tmp_path / "deblur.model-523000",
            tmp_path / "deblur.model-523000.data-00000-of-00001",
        ]
    ):
        output = tmp_path / f"preset_{number}"
        assert "bit for bit" in converter.convert("srn", [given], output, SMALL)
        found = weights.read_weights(output / "weights.npz")
        for name, expected in zip(weights.variable_names(model), model.get_weights()):
            assert found[name].tobytes() == expected.tobytes(), name
        config = (output / "config.json").read_text()
        assert "523000.index" in config and "523000.data-00000-of-00001" in config
    text = converter.list_tensors([index])
    assert "g_net/enc1_1/weights (5, 5, 6, 2) float32" in text


def test_damaged_and_hostile_pairs_are_refused_in_one_line(training, tmp_path):
    _, _, everything = training
    index = save(tmp_path / "m", everything)
    data = tmp_path / "m.data-00000-of-00001"
    whole, numbers = index.read_bytes(), data.read_bytes()

    def refused():
        with pytest.raises(converter.ConversionError) as caught:
            converter.convert("srn", [index], tmp_path / "preset", SMALL)
        assert "\n" not in str(caught.value) and not (tmp_path / "preset").exists()
        return str(caught.value)

    data.write_bytes(numbers[:-1])
    assert "is cut off before" in refused()
    data.unlink()
    assert "m.data-00000-of-00001 must lie beside it" in refused()
    data.write_bytes(numbers)
    for length in range(0, len(whole), 499):
        index.write_bytes(whole[:length])
        assert "is no readable checkpoint" in refused()


def test_changed_bytes_of_an_index_never_end_in_another_error(tmp_path, rng):
    index = save(tmp_path / "m", {"a/weights": rng.random((2, 3), np.float32)})
    whole = index.read_bytes()
    for place in range(len(whole)):
        for value in (0, 1, 127, 255):
            changed = bytearray(whole)
            changed[place] = value
            index.write_bytes(bytes(changed))
            try:
                found = read_tensorflow_checkpoint(index)
            except ValueError as error:
                assert "\n" not in str(error)
            else:
                assert sum(a.dtype.itemsize for a in found.values()) <= 64


def test_another_networks_pair_is_named(tmp_path, rng):
    index = save(tmp_path / "m", {"g_net/other/weights": rng.random(3)})
    with pytest.raises(converter.ConversionError, match=r"of SRN|none of the networks"):
        converter.convert("srn", [index], tmp_path / "preset", SMALL)
