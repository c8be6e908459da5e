"""DRBNet's official tensors land where they belong."""

import numpy as np
import pytest
from keras import ops

import tf_defocus
from tf_defocus.conversion import load_official
from tf_defocus.conversion.drbnet import assignments

SMALL = {"base_filters": 2, "filter_size": 3}


def official_arrays(model, rng):
    """Random tensors in the authors' layouts, by official name."""
    arrays = {}
    for a in assignments(model):
        shape = tuple(a.variable.shape)
        if len(shape) == 4:
            shape = (shape[3], shape[2], *shape[:2])
        arrays[a.name] = rng.normal(size=shape).astype("float32")
    return arrays


def test_every_tensor_lands_in_its_variable(rng):
    model = tf_defocus.create_model("drbnet_dual", **SMALL)
    arrays = official_arrays(model, rng)
    load_official(model, arrays)
    assert len(arrays) == len(model.weights) == 138
    kernel = ops.convert_to_numpy(model.decoder[0][0].kernel)
    official = arrays["upconv3_u.0.weight"]  # in, out, height, width
    np.testing.assert_array_equal(kernel[1, 2, 3, 5], official[5, 3, 1, 2])
    coarsest, finest = model.blocks[0], model.blocks[-1]
    for layer, name in (
        (coarsest.filters[-1], "upconv3_kernel.2"),
        (finest.residual[-1], "upconv0_res.2.0"),
        (coarsest.image_features[1], "img_d8_feature.1.0"),
        (finest.image_features[1], "img_d1_feature.1.0"),
        (model.context[2].second, "conv4_4.2.stem.0.2"),
    ):
        np.testing.assert_array_equal(layer.bias, arrays[f"{name}.bias"])


def test_a_missing_tensor_is_named(rng):
    model = tf_defocus.create_model("drbnet", **SMALL)
    arrays = official_arrays(model, rng)
    del arrays["upconv0_kernel.2.bias"]
    with pytest.raises(ValueError, match=r"Missing: \['upconv0_kernel.2.bias'\]"):
        load_official(model, arrays)
