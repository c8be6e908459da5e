"""Clients try again what passes, give up what does not, and speak as servers do."""

import concurrent.futures

import numpy as np
import pytest

grpc = pytest.importorskip("grpc", reason='pip install ".[serving]"')
tf = pytest.importorskip("tensorflow", reason="SavedModels need TensorFlow")

from tf_defocus.export.exported_restorer import ExportedRestorer  # noqa: E402
from tf_defocus.export.saved_model import export_saved_model  # noqa: E402
from tf_defocus.images import levels  # noqa: E402
from tf_defocus.models import create_model  # noqa: E402
from tf_defocus.restoration.restorer import Restorer  # noqa: E402
from tf_defocus.serving.clients import (  # noqa: E402
    RefusedError,
    RemoteRestorer,
    UnavailableError,
    send,
)
from tf_defocus.serving.grpc_clients import TensorFlowServingClient  # noqa: E402


class Unsteady:
    """A client that fails some times before it answers."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.calls = 0

    def view_names(self):
        return ("blurred",)

    def restore(self, views):
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return views["blurred"]


def test_what_passes_is_tried_again(rng):
    client = Unsteady(UnavailableError("away"), UnavailableError("busy"))
    said, steps = [], []
    restorer = RemoteRestorer(client, 3, 0.001, said.append)
    photo = rng.integers(0, 256, (2, 2, 3), dtype=np.uint8)
    restored = restorer.restore(lambda *step: steps.append(step), blurred=photo)
    np.testing.assert_array_equal(restored, photo)
    assert client.calls == 3 and steps == [(1, 1)]
    assert [line.split(";")[0] for line in said] == ["away", "busy"]


def test_attempts_are_bounded_and_refusals_are_final():
    client = Unsteady(*[UnavailableError("away")] * 9)
    with pytest.raises(UnavailableError):
        RemoteRestorer(client, 3, 0.001).restore(blurred=None)
    assert client.calls == 3
    client = Unsteady(RefusedError(400, "no photograph"))
    with pytest.raises(RefusedError, match="no photograph"):
        RemoteRestorer(client, 3, 0.001).restore(blurred=None)
    assert client.calls == 1


def test_a_server_that_is_not_there_is_unavailable():
    with pytest.raises(UnavailableError, match="refused"):
        send("http://127.0.0.1:9/v2", None, {}, 1)
    client = TensorFlowServingClient("127.0.0.1:9", "m", 1)
    with pytest.raises(UnavailableError):
        client.view_names()


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A small dual-pixel network, and its SavedModel."""
    model = create_model("kpac_3level_dual", base_filters=3)
    folder = tmp_path_factory.mktemp("served") / "1"
    export_saved_model(model, folder, "small")
    return model, folder


@pytest.fixture(scope="module")
def prediction_service(exported):
    """What TensorFlow Serving answers, from the signatures of a SavedModel."""
    from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2
    from tensorflow_serving.apis import prediction_service_pb2_grpc as service

    loaded = tf.saved_model.load(str(exported[1]))

    class Service(service.PredictionServiceServicer):
        def Predict(self, request, context):
            if request.model_spec.name != "small":
                context.abort(grpc.StatusCode.NOT_FOUND, "Servable not found")
            inputs = {k: tf.make_ndarray(v) for k, v in request.inputs.items()}
            signature = loaded.signatures[request.model_spec.signature_name]
            outputs = signature(**{k: tf.constant(v) for k, v in inputs.items()})
            answer = predict_pb2.PredictResponse()
            for name in request.output_filter:
                proto = tf.make_tensor_proto(outputs[name].numpy())
                answer.outputs[name].CopyFrom(proto)
            return answer

        def GetModelMetadata(self, request, context):
            answer = get_model_metadata_pb2.GetModelMetadataResponse()
            found = get_model_metadata_pb2.SignatureDefMap()
            for view in ("left", "right", "blurred"):
                found.signature_def["serving_default"].inputs[view].name = view
            answer.metadata["signature_def"].Pack(found)
            return answer

    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    service.add_PredictionServiceServicer_to_server(Service(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_tensorflow_serving_and_the_exported_graph_restore(
    rng, exported, prediction_service, dtype
):
    model, folder = exported
    names = Restorer(model).view_names
    values = rng.random((len(names), 18, 23, 3), np.float32)
    views = dict(zip(names, levels.to_levels(values, dtype)))
    expected = levels.to_float(Restorer(model, tile=0).restore(**views))
    client = TensorFlowServingClient(prediction_service, "small", 60)
    loaded = ExportedRestorer(folder)
    assert set(client.view_names()) == {"left", "right", "blurred"}
    assert set(loaded.view_names) == set(names) and loaded.max_pixels > 10**6
    remote, (first, _) = client.restore(views), loaded.restore_batch([views, views])
    for found in (remote, first):
        assert found.dtype == dtype
        tolerance = 1.01 / 255 if dtype == "uint8" else 3e-5
        np.testing.assert_allclose(levels.to_float(found), expected, atol=tolerance)


def test_tensorflow_servings_refusals_are_final(prediction_service):
    client = TensorFlowServingClient(prediction_service, "other", 60)
    with pytest.raises(RefusedError, match="NOT_FOUND"):
        client.restore({"blurred": np.zeros((2, 2, 3), np.uint8)})


def test_a_folder_that_is_no_export_is_told(tmp_path):
    with pytest.raises(ValueError, match="expected a SavedModel"):
        ExportedRestorer(tmp_path)
