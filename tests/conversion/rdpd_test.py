"""The authors' files: blue, green, red in; the same function of red, green, blue."""

import h5py
import numpy as np
import pytest
from keras import ops

from tf_defocus import conversion, create_model
from tf_defocus.conversion.rdpd import assignments, read_hdf5, to_rgb

# Numbers of the wrapped layers with weights; pooling and upsampling take the others.
NUMBERS = (0, 1, 3, 4, 6, 7, 9, 10, 12, None, 14, 15, 16, 18, 19, 20, 22, 23, 24)
NUMBERS += (26, 27, 28, 29, 30)


def layer_name(number):
    if number is None:
        return "conv_lstm2d"
    return f"time_distributed_{number}" if number else "time_distributed"


def write_as_the_authors(path, arrays, root=""):
    """Writes tensors as a Keras 2 weight file of automatically named layers."""
    with h5py.File(path, "w") as file:
        for number in range(31):
            file.create_group(f"{root}{layer_name(number)}")
        for name, value in arrays.items():
            index, kind = name.split("/")
            layer = layer_name(NUMBERS[int(index)])
            file[f"{root}{layer}/{layer}/{kind}:0"] = value


def random_arrays(rng):
    """Official tensors of a small network that keeps its output within [0, 1]."""
    model = create_model("rdpd", base_filters=2)
    arrays = {
        a.name: rng.normal(0, 0.25, a.variable.shape).astype("float32")
        for a in assignments(model)
    }
    arrays["23/bias"] = np.float32([0.3, 0.5, 0.7])
    return arrays


@pytest.mark.parametrize("root", ["", "model_weights/"])
def test_reader_finds_every_tensor_and_reverses_the_colours(root, rng, tmp_path):
    arrays = random_arrays(rng)
    assert len(arrays) == 49
    write_as_the_authors(tmp_path / "theirs.hdf5", arrays, root)
    read = read_hdf5(tmp_path / "theirs.hdf5")
    expected = to_rgb(arrays)
    assert set(read) == set(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(read[name], value)


def test_to_rgb_gives_the_same_function_of_reversed_colours(rng):
    arrays = random_arrays(rng)
    theirs, ours = (create_model("rdpd", base_filters=2) for _ in range(2))
    conversion.load_official(theirs, arrays)
    conversion.load_official(ours, to_rgb(arrays))
    images = {v: rng.random((1, 16, 32, 3), "float32") for v in ours.view_names}
    reversed_colours = {v: image[..., ::-1] for v, image in images.items()}
    expected = ops.convert_to_numpy(theirs(reversed_colours)["deblurred"])
    actual = ops.convert_to_numpy(ours(images)["deblurred"])
    assert expected.std(axis=(0, 1, 2)).min() > 1e-3
    np.testing.assert_allclose(actual, expected[..., ::-1], atol=1e-5)


def test_a_file_of_another_network_is_refused(tmp_path):
    with h5py.File(tmp_path / "other.hdf5", "w") as file:
        file["conv2d_1/conv2d_1/kernel:0"] = np.zeros((3, 3, 3, 2))
    with pytest.raises(ValueError, match=r"23 layers .* Received: 0 and 0"):
        read_hdf5(tmp_path / "other.hdf5")


def test_a_missing_tensor_is_named(rng):
    arrays = random_arrays(rng)
    del arrays["09/recurrent_kernel"]
    with pytest.raises(ValueError, match=r"Missing: \['09/recurrent_kernel'\]"):
        conversion.load_official(create_model("rdpd", base_filters=2), arrays)
