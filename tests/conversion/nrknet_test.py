"""NRKNet's official tensors land where they belong; blue, green, red is undone."""

import numpy as np
import pytest
from keras import ops

import tf_defocus
from tf_defocus.conversion import load_official, nrknet

SMALL = {"base_filters": 4, "num_kernels": 3, "num_residual_units": 2}


def official_arrays(model, rng):
    """Random tensors in the authors' layouts, with the counter they also save."""
    arrays = {"APU.conv.main.1.num_batches_tracked": np.array(3)}
    for a in nrknet.assignments(model):
        shape = tuple(a.variable.shape)
        if len(shape) == 4:
            shape = (shape[3], shape[2], *shape[:2])
        elif len(shape) == 3:
            shape = (shape[0] * 3, 1, 1, 2)
        arrays[a.name] = rng.uniform(0.1, 0.4, shape).astype("float32")
    return arrays


def test_every_tensor_lands_in_its_variable(rng):
    model = tf_defocus.create_model("nrknet", **SMALL)
    arrays = official_arrays(model, rng)
    load_official(model, arrays)
    assert len(arrays) == len(model.weights) + 1
    half_kernels = ops.convert_to_numpy(model.blur.bank.half_kernels)
    np.testing.assert_array_equal(half_kernels[1, 2], arrays["GCM.kernels"][5, 0, 0])
    kernel = ops.convert_to_numpy(model.upsampling[0].kernel)
    official = arrays["feat_extract.4.main.0.weight"]  # in, out, height, width
    np.testing.assert_array_equal(kernel[1, 2, 3, 5], official[5, 3, 1, 2])
    second = model.decoder[2].units[1][0].convolution.kernel
    official = arrays["Decoder.0.layers.1.main.0.main.0.weight"]
    np.testing.assert_array_equal(second[1, 2, 3, 5], official[5, 3, 1, 2])


def test_to_rgb_gives_the_same_function_of_reversed_colours(rng):
    theirs = tf_defocus.create_model("nrknet", **SMALL)
    ours = tf_defocus.create_model("nrknet", **SMALL)
    arrays = official_arrays(theirs, rng)
    for name in arrays:
        if arrays[name].ndim == 4:
            arrays[name] = rng.normal(0, 0.05, arrays[name].shape).astype("float32")
    load_official(theirs, arrays)
    load_official(ours, nrknet.to_rgb(arrays))
    image = rng.random((1, 32, 32, 3), dtype="float32")
    expected = ops.convert_to_numpy(theirs({"blurred": image[..., ::-1]})["deblurred"])
    actual = ops.convert_to_numpy(ours({"blurred": image})["deblurred"])
    assert np.abs(expected[..., 0] - expected[..., 2]).max() > 0.1
    np.testing.assert_allclose(actual, expected[..., ::-1], atol=1e-4)


def test_a_missing_tensor_is_named(rng):
    model = tf_defocus.create_model("nrknet", **SMALL)
    arrays = official_arrays(model, rng)
    del arrays["GCM.kernels"]
    with pytest.raises(ValueError, match=r"Missing: \['GCM.kernels'\]"):
        load_official(model, arrays)
