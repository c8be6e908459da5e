"""Operations that converters lack, or get wrong, are written in others for them."""

import keras
import numpy as np
import pytest
from keras import ops

pytest.importorskip("tensorflow", reason="converts TensorFlow's graphs")

import tensorflow as tf

from tf_defocus.layers.deeprft import ResidualFourierBlock
from tf_defocus.layers.rdpd import FrameLSTM, merge_frames, separate_frames
from tf_defocus.layers.restormer_attention import ChannelAttention
from tf_defocus.restoration.engines import engine, graphs, stages

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="converts TensorFlow's graphs"
)
CHANNELS = 4


def exact_gelu():
    return lambda images: ops.gelu(3 * images, approximate=False)


def fourier_block():
    return ResidualFourierBlock(CHANNELS)


def channel_attention():
    return ChannelAttention(num_heads=2)


def recurrent_layer():
    layer = FrameLSTM(CHANNELS)
    return lambda images: merge_frames(layer(separate_frames(images, 1)))


@pytest.fixture(
    scope="module",
    params=[exact_gelu, fourier_block, channel_attention, recurrent_layer],
)
def block(request):
    """Its graph, and images of three sizes with what Keras makes of them."""
    keras.utils.set_random_seed(7)
    rng, compute = np.random.default_rng(7), request.param()
    images = [
        rng.normal(size=(batch, *size, CHANNELS)).astype("float32")
        for batch, size in ((2, (6, 10)), (1, (1, 1)), (3, (7, 5)))
    ]
    expected = [compute(each).numpy() for each in images]  # makes its weights first
    spec = tf.TensorSpec((None, None, None, CHANNELS), name="images")
    graph = graphs.frozen_function(
        lambda images: tf.identity(compute(images), name=stages.OUTPUT),
        {"images": spec},
    )
    return graph, list(zip(images, expected))


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_blocks_compute_the_same_in_every_runtime(block, name, tmp_path):
    missing = engine.missing_packages(name)
    if missing:
        pytest.skip(f"needs {missing}")
    graph, cases = block
    runtime = engine._runtime(name)
    runtime.convert(graph, {"images": cases[0][0]}, tmp_path)
    compute = runtime.load(tmp_path, "float32", 1)
    for images, expected in cases:
        actual = compute({"images": images})
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)
