"""DeepRFT's official tensors land where they belong, in both forms."""

import numpy as np
import pytest

import tf_defocus
from tf_defocus.conversion import deeprft, load_official

SMALL = {"base_filters": 4, "num_residual_units": 1}


def official_arrays(model, rng):
    arrays = {}
    for each in deeprft.assignments(model):
        shape = tuple(each.variable.shape)
        if each.name.endswith(".W"):
            shape = (shape[3], shape[2], shape[0] * shape[1])
        elif each.name.endswith(".weight"):
            shape = (shape[3], shape[2], *shape[:2])
        arrays[each.name] = rng.normal(size=shape).astype("float32")
    return arrays


def test_every_tensor_lands_in_its_variable(rng):
    model = tf_defocus.create_model("deeprft", **SMALL)
    arrays = official_arrays(model, rng)
    assert len(arrays) == len(model.weights)
    arrays["FAM1.merge.main.0.D_diag"] = np.zeros((16, 9, 9))
    load_official(model, arrays)
    kernel = np.asarray(model.attentions[1].kernel)
    assert kernel[1, 2, 3, 5] == arrays["FAM1.merge.main.0.W"][5, 3, 5]
    depthwise = model.image_features[0][0][2].depthwise
    np.testing.assert_array_equal(depthwise, arrays["SCM2.main.2.main.0.D"])
    kernel = np.asarray(model.upsamplings[0].kernel)
    official = arrays["feat_extract.3.main.0.weight"]  # in, out, height, width
    assert kernel[1, 2, 3, 5] == official[5, 3, 1, 2]


def test_folded_kernels_are_taken_as_w(rng):
    model = tf_defocus.create_model("deeprft", **SMALL, overparameterized=False)
    arrays = official_arrays(model, rng)
    name = "Encoder.0.layers.0.main.1.main.0.W"
    arrays[name] = arrays[name].reshape(4, 4, 3, 3)
    load_official(model, arrays)
    kernel = np.asarray(model.encoders[0][0].spatial[1].kernel)
    assert kernel[2, 0, 1, 3] == arrays[name][3, 1, 2, 0]


def test_a_missing_tensor_is_named(rng):
    model = tf_defocus.create_model("deeprft", **SMALL)
    arrays = official_arrays(model, rng)
    del arrays["AFFs.1.conv.0.main.0.W"]
    with pytest.raises(ValueError, match=r"AFFs\.1\.conv\.0\.main\.0\.W"):
        load_official(model, arrays)
