"""Graphs for other runtimes give the Restorer's numbers at every size."""

import numpy as np
import pytest

from tf_defocus.models import create_model
from tf_defocus.restoration.restorer import Restorer

pytest.importorskip("tensorflow", reason="exports need TensorFlow")
onnxruntime = pytest.importorskip("onnxruntime", reason="reads the ONNX files")
openvino = pytest.importorskip("openvino", reason="reads the OpenVINO files")

from tf_defocus.export.onnx_graph import write_onnx  # noqa: E402
from tf_defocus.export.openvino_graph import write_openvino  # noqa: E402

SIZES = ((1, 1), (13, 17), (15, 16), (24, 9))
NETWORKS = {
    "kpac_3level": {"base_filters": 4},
    "ifan_dual": {"base_filters": 4, "num_iterations": 2, "num_residual_units": 1},
}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    """A small network whose fresh weights alter what they are given."""
    model = create_model(request.param, **NETWORKS[request.param])
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
    assert np.abs(restored - views["blurred"]).max() > 1e-2


def test_onnx_file_restores_as_the_restorer(network, tmp_path, rng):
    session = onnxruntime.InferenceSession(
        write_onnx(network, tmp_path / "network.onnx")
    )
    assert tuple(i.name for i in session.get_inputs()) == network.view_names
    assert_restores(lambda views: session.run(["deblurred"], views)[0], network, rng)


def test_openvino_files_restore_as_the_restorer(network, tmp_path, rng):
    path = write_openvino(network, tmp_path / "network.xml")
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(path, "CPU", exact)
    assert_restores(lambda views: compiled(views)["deblurred"], network, rng)
