"""Graphs for other runtimes give the Restorer's numbers at every size."""

import numpy as np
import pytest

from tf_defocus.layers.deeprft import ResidualFourierBlock
from tf_defocus.models import create_model
from tf_defocus.restoration.restorer import Restorer

pytest.importorskip("tensorflow", reason="exports need TensorFlow")
pytest.importorskip("onnxruntime", reason="reads the ONNX files")
pytest.importorskip("openvino", reason="reads the OpenVINO files")

import tensorflow as tf

from tf_defocus.export import (
    write_litert,
    write_onnx,
    write_openvino,
)
from tf_defocus.export.litert_graph import converter_of
from tf_defocus.export.runners import open_exported
from tf_defocus.restoration.engines.graphs import frozen_function

SIZES = ((1, 1), (13, 17))
# What converters are particular about: dilated convolutions, filters per pixel, windows
# and correlation. `tests/restoration/engines_test.py` has gates and correlation too.
NETWORKS = {
    "kpac_3level": {"base_filters": 4},
    "ifan_dual": {"base_filters": 4, "num_iterations": 2, "num_residual_units": 1},
    "k3dn_tiny": {
        "base_filters": 4,
        "encoder_residual_units": 1,
        "num_psf_blocks": 1,
        "window_size": (4, 4),
    },
}
WRITERS = {"onnx": write_onnx, "tflite": write_litert}
CASES = (
    ("kpac_3level", "onnx"),
    ("ifan_dual", "onnx"),
    ("kpac_3level", "tflite"),
    ("k3dn_tiny", "tflite"),
)


def small_network(name):
    """Its fresh weights alter what they are given."""
    model = create_model(name, **NETWORKS[name])
    for weight in model.trainable_weights:
        if len(weight.shape) > 1:
            weight.assign(1.5 * weight)
    return model


def assert_restores(run, network, rng):
    restorer = Restorer(network, tile=0)
    for size in SIZES:
        shape = (3, *size, 3)
        views = {n: rng.random(shape, dtype=np.float32) for n in network.view_names}
        restored = run(views)
        assert restored.shape == shape
        for i in range(3):
            one = {name: batch[i] for name, batch in views.items()}
            expected = restorer.restore(**one)
            np.testing.assert_allclose(restored[i], expected, atol=1e-5, rtol=2e-6)
    changed = np.abs(restored - views[network.view_names[0]]).max()
    assert changed > 1e-3  # a hundred times the tolerance


@pytest.mark.parametrize(("name", "ending"), CASES)
def test_a_converted_network_restores_as_the_restorer(name, ending, tmp_path, rng):
    network = small_network(name)
    path = WRITERS[ending](network, tmp_path / f"network.{ending}")
    assert_restores(open_exported(path), network, rng)


def test_openvino_files_hold_levels_and_restore_as_the_restorer(tmp_path, rng):
    network = small_network("kpac_3level")
    path = write_openvino(network, tmp_path / "network.xml", signature="uint8")
    image = rng.integers(0, 256, (1, 13, 17, 3), dtype=np.uint8)
    restored = open_exported(path)({"blurred": image})
    expected = Restorer(network, tile=0).restore(image[0])
    assert restored.dtype == np.uint8
    assert np.abs(restored[0].astype(int) - expected).max() <= 1
    assert np.abs(image[0].astype(int) - expected).max() > 5


def test_litert_computes_spectra_of_any_size(tmp_path, rng):
    """`tests/restoration/engine_graphs_test.py` has the other runtimes."""
    block = ResidualFourierBlock(4)
    block.build((None, None, None, 4))
    graph = frozen_function(
        lambda images: tf.identity(block(images), name="sum"),
        {"images": tf.TensorSpec((None, None, None, 4), name="images")},
    )
    path = tmp_path / "block.tflite"
    path.write_bytes(converter_of(graph, ["images"], "sum").convert())
    compute = open_exported(path)
    for shape in ((2, 6, 10, 4), (1, 1, 1, 4), (3, 7, 5, 4)):
        images = rng.normal(size=shape).astype("float32")
        restored = compute({"images": images})
        np.testing.assert_allclose(restored, block(images), rtol=1e-5, atol=1e-5)
