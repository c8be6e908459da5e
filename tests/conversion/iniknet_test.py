"""INIKNet's official tensors land where they belong; reversed colours are undone."""

import numpy as np
import pytest

import tf_defocus
from tests.testing import reversed_channels, torch_arrays
from tf_defocus.conversion import iniknet, load_official

SMALL = {"base_filters": 2, "num_bases": 2, "max_kernel_size": 5, "hidden_units": 4}


@pytest.fixture(scope="module")
def model():
    return tf_defocus.create_model("iniknet", **SMALL)


def official_arrays(model, rng, scale=1.0):
    arrays = torch_arrays(iniknet.assignments(model), rng, scale)
    for name in arrays:
        if name.endswith("3.w0"):  # one scalar under two names
            arrays[name] = arrays[name.replace("3.w0", "1.w0")]
    return arrays


def test_every_tensor_lands_in_its_variable(model, rng):
    arrays = official_arrays(model, rng)
    assert len(arrays) == len(model.weights) + SMALL["num_bases"]
    load_official(model, arrays)
    kernel = np.asarray(model.features.decoder[1][0].convolution.kernel)
    official = arrays["unet.feat_extract.4.main.0.weight"]
    assert kernel[0, 1, 3, 1] == official[1, 3, 0, 1]
    kernel = np.asarray(model.size_scales.to_coarse.gates.kernel)
    official = arrays["lstms_scale_select.right2left.cell.conv.weight"]
    assert kernel[0, 0, 3, 7] == official[7, 3, 0, 0]
    basis = model.summation.bases[1]
    name = "inr_conv.kernelINR_list.1.layers"
    assert np.asarray(basis.first.kernel)[2, 3] == arrays[f"{name}.0.weight"][3, 2]
    assert float(basis.scale) == arrays[f"{name}.1.w0"]


def test_to_rgb_gives_the_same_function_of_reversed_colours(model, rng):
    views = {"blurred": rng.random((1, 16, 32, 3), dtype=np.float32)}
    arrays = official_arrays(model, rng, scale=0.5)
    load_official(model, arrays)
    expected = np.asarray(model(reversed_channels(views))["deblurred"])
    load_official(model, iniknet.to_rgb(arrays))
    actual = np.asarray(model(views)["deblurred"])
    assert np.abs(expected[..., 0] - expected[..., 2]).max() > 0.1
    np.testing.assert_allclose(actual, expected[..., ::-1], rtol=1e-4, atol=1e-4)


def test_a_missing_tensor_is_named(model, rng):
    arrays = official_arrays(model, rng)
    del arrays["inr_conv.kernelINR_list.0.layers.3.w0"]
    with pytest.raises(ValueError, match=r"Missing: \['inr_conv\.kernelINR_list"):
        load_official(model, arrays)
