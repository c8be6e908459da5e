"""The authors' file: blue, green, red in; the same function of red, green, blue."""

import h5py
import keras
import numpy as np
import pytest

from tf_defocus import conversion, create_model
from tf_defocus.conversion import mdp


def _write_as_the_authors(path, model, root=""):
    """Writes `model` as a Keras 2 weight file of automatically named layers."""
    with h5py.File(path, "w") as file:
        for assignment in mdp.assignments(model):
            index, kind = assignment.name.split("/")
            layer = f"conv2d_{int(index)}" if int(index) else "conv2d"
            value = keras.ops.convert_to_numpy(assignment.variable)
            file[f"{root}{layer}/{layer}/{kind}:0"] = value


@pytest.mark.parametrize("root", ["", "model_weights/"])
def test_reader_undoes_the_reversed_colors(root, rng, tmp_path):
    theirs = create_model("mdp", base_filters=2)
    theirs.set_weights([rng.normal(size=w.shape, scale=0.3) for w in theirs.weights])
    _write_as_the_authors(tmp_path / "theirs.hdf5", theirs, root)
    ours = create_model("mdp", base_filters=2)
    conversion.load_official(ours, mdp.read_hdf5(tmp_path / "theirs.hdf5"))
    image = rng.random((1, 16, 32, 3), "float32")
    expected = theirs({"blurred": image[..., ::-1]})
    actual = ours({"blurred": image})
    for name in ("deblurred", "left", "right"):
        reversed_colors = keras.ops.convert_to_numpy(expected[name])[..., ::-1]
        assert reversed_colors.std() > 1e-3
        # The sums run in another order, and such weights amplify rounding.
        np.testing.assert_allclose(actual[name], reversed_colors, atol=1e-4)


def test_a_file_of_another_network_is_refused(tmp_path):
    with h5py.File(tmp_path / "other.hdf5", "w") as file:
        file["conv2d_1/conv2d_1/kernel:0"] = np.zeros(3, "float32")
        file["conv2d_transpose/conv2d_transpose/bias:0"] = np.zeros(3, "float32")
    with pytest.raises(ValueError, match=r"MDP file holds 49 layers .* Received: 1"):
        mdp.read_hdf5(tmp_path / "other.hdf5")


def test_a_left_over_tensor_is_named():
    model = create_model("mdp", base_filters=2)
    arrays = {a.name: np.zeros(a.variable.shape) for a in mdp.assignments(model)}
    with pytest.raises(ValueError, match="Unused: \\['49/bias'\\]"):
        conversion.load_official(model, {**arrays, "49/bias": np.zeros(3)})
