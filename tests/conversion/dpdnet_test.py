"""The authors' files: blue, green, red in; the same function of red, green, blue."""

import h5py
import keras
import numpy as np
import pytest

from tf_defocus import conversion, create_model
from tf_defocus.conversion.dpdnet import read_hdf5


def _write_as_the_authors(path, model, root=""):
    """Writes `model` as a Keras 2 weight file of automatically named layers."""
    with h5py.File(path, "w") as file:
        for index in range(24):
            layer = f"conv2d_{index + 1}"
            group = file.create_group(f"{root}{layer}/{layer}")
            kernel, bias = model.weights[2 * index : 2 * index + 2]
            group["kernel:0"] = keras.ops.convert_to_numpy(kernel)
            group["bias:0"] = keras.ops.convert_to_numpy(bias)


@pytest.mark.parametrize("name", ["dpdnet_single", "dpdnet_dual"])
@pytest.mark.parametrize("root", ["", "model_weights/"])
def test_reader_undoes_the_reversed_colors(name, root, rng, tmp_path):
    theirs = create_model(name, base_filters=2)
    theirs.set_weights([rng.normal(size=w.shape, scale=0.3) for w in theirs.weights])
    _write_as_the_authors(tmp_path / "theirs.hdf5", theirs, root)
    ours = create_model(name, base_filters=2)
    conversion.load_official(ours, read_hdf5(tmp_path / "theirs.hdf5"))
    images = {v: rng.random((1, 16, 32, 3), "float32") for v in ours.view_names}
    reversed_colors = {v: image[..., ::-1] for v, image in images.items()}
    expected = keras.ops.convert_to_numpy(theirs(reversed_colors)["deblurred"])
    actual = keras.ops.convert_to_numpy(ours(images)["deblurred"])
    assert expected.std() > 1e-3
    # The sums run in another order, and such weights amplify 24 layers of rounding.
    np.testing.assert_allclose(actual, expected[..., ::-1], atol=1e-4)


def test_a_file_of_another_network_is_refused(tmp_path):
    with h5py.File(tmp_path / "other.hdf5", "w") as file:
        file["conv2d_1/conv2d_1/kernel:0"] = np.zeros((3, 3, 3, 2), "float32")
    with pytest.raises(ValueError, match=r"24 layers .* Received: 1"):
        read_hdf5(tmp_path / "other.hdf5")


def test_a_missing_tensor_is_named():
    model = create_model("dpdnet_single", base_filters=2)
    arrays = {
        f"{i // 2:02d}/{('kernel', 'bias')[i % 2]}": np.zeros(w.shape)
        for i, w in enumerate(model.weights)
    }
    del arrays["23/bias"]
    with pytest.raises(ValueError, match="Missing: \\['23/bias'\\]"):
        conversion.load_official(model, arrays)
