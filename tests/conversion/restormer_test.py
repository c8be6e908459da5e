"""Restormer's official tensors land where they belong."""

import numpy as np
import pytest
from keras import ops

import tf_defocus
from tf_defocus.conversion import load_official
from tf_defocus.conversion.restormer import assignments, pixels_together

SMALL = {
    "base_filters": 4,
    "num_blocks": (1, 1, 1, 1),
    "num_heads": (1, 2, 2, 2),
    "num_refinement_blocks": 1,
    "use_bias": True,
}


def official_arrays(model, rng):
    """Random tensors in the authors' layouts, by official name."""
    arrays = {}
    for a in assignments(model):
        shape = tuple(a.variable.shape)
        if len(shape) == 4:
            height, width, inputs, outputs = shape
            shape = (outputs, inputs, height, width)
            if "dwconv" in a.name:
                shape = (inputs, outputs, height, width)
        arrays[a.name] = rng.normal(size=shape).astype("float32")
    return arrays


def test_every_tensor_lands_in_its_variable(rng):
    model = tf_defocus.create_model("restormer_dual", **SMALL)
    arrays = official_arrays(model, rng)
    load_official(model, arrays)
    assert len(arrays) == len(model.weights)
    block = model.decoder[2][0]
    kernel = ops.convert_to_numpy(block.attention.projection.depthwise.kernel)
    official = arrays["decoder_level3.0.attn.qkv_dwconv.weight"]
    np.testing.assert_array_equal(kernel[1, 2, 3, 0], official[3, 0, 1, 2])
    kernel = ops.convert_to_numpy(model.reductions[1].kernel)
    official = arrays["reduce_chan_level3.weight"]
    np.testing.assert_array_equal(kernel[0, 0, 3, 5], official[5, 3, 0, 0])
    kernel = ops.convert_to_numpy(model.doublings[0].convolution.kernel)
    official = arrays["up2_1.body.0.weight"]  # filter: channel * 4 + pixel
    filters = kernel.shape[-1] // 4
    np.testing.assert_array_equal(
        kernel[1, 2, 3, 2 * filters + 1], official[1 * 4 + 2, 3, 1, 2]
    )


def test_pixels_of_a_channel_are_taken_apart():
    official = np.arange(8).reshape(8, 1, 1, 1)  # two channels of four pixels
    ours = pixels_together(official).ravel()
    np.testing.assert_array_equal(ours, [0, 4, 1, 5, 2, 6, 3, 7])


def test_weights_of_the_other_kind_are_refused(rng):
    dual = tf_defocus.create_model("restormer_dual", **SMALL)
    single = tf_defocus.create_model("restormer", **SMALL)
    with pytest.raises(ValueError, match=r"Unused: .*skip_conv.weight"):
        load_official(single, official_arrays(dual, rng))
    with pytest.raises(ValueError, match=r"Missing: .*skip_conv.weight"):
        load_official(dual, official_arrays(single, rng))
