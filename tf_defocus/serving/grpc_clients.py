"""Clients over gRPC: KServe's protocol v2, and TensorFlow Serving's own."""

import grpc
import numpy as np

from tf_defocus.images import levels
from tf_defocus.serving.clients import RefusedError, UnavailableError, Views, as_floats
from tf_defocus.serving.photographs import RESTORED
from tf_defocus.serving.tensors import from_raw, of_array, to_raw

_OPTIONS = (("grpc.max_receive_message_length", -1),)
_PASSING = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class V2GrpcClient:
    """Protocol v2 over gRPC.

    Args:
        target: str, such as "localhost:8081".
        model: str, its name.
        timeout: float [s].
    """

    def __init__(self, target: str, model: str, timeout: float) -> None:
        from kserve.protocol.grpc import grpc_predict_v2_pb2 as messages
        from kserve.protocol.grpc import grpc_predict_v2_pb2_grpc as service

        channel = grpc.insecure_channel(target, _OPTIONS)
        self._messages = messages
        self._stub = service.GRPCInferenceServiceStub(channel)
        self._model = model
        self._timeout = timeout

    def view_names(self) -> tuple[str, ...]:
        """As the server tells."""
        request = self._messages.ModelMetadataRequest(name=self._model)
        answer = _call(self._stub.ModelMetadata, request, self._timeout)
        return tuple(given.name for given in answer.inputs)

    def restore(self, views: Views) -> np.ndarray:
        """See `clients.Client`."""
        tensors = [of_array(name, view[None]) for name, view in views.items()]
        request = self._messages.ModelInferRequest(
            model_name=self._model,
            inputs=[
                self._messages.ModelInferRequest.InferInputTensor(
                    name=tensor.name, datatype=tensor.datatype, shape=tensor.shape
                )
                for tensor in tensors
            ],
            raw_input_contents=[to_raw(tensor) for tensor in tensors],
        )
        answer = _call(self._stub.ModelInfer, request, self._timeout)
        output, raw = answer.outputs[0], answer.raw_output_contents[0]
        return from_raw(output.name, output.datatype, list(output.shape), raw).values[0]


class TensorFlowServingClient:
    """TensorFlow Serving's PredictionService.

    8-bit photographs go to the signature `uint8`, all others as floats to
    `serving_default`; the answer has the photograph's depth again.

    Args:
        target: str, such as "localhost:8500".
        model: str, its name.
        timeout: float [s].
    """

    def __init__(self, target: str, model: str, timeout: float) -> None:
        from tensorflow_serving.apis import prediction_service_pb2_grpc as service

        channel = grpc.insecure_channel(target, _OPTIONS)
        self._stub = service.PredictionServiceStub(channel)
        self._model = model
        self._timeout = timeout

    def view_names(self) -> tuple[str, ...]:
        """As the server tells."""
        from tensorflow_serving.apis import get_model_metadata_pb2 as messages

        request = messages.GetModelMetadataRequest()
        request.model_spec.name = self._model
        request.metadata_field.append("signature_def")
        answer = _call(self._stub.GetModelMetadata, request, self._timeout)
        signatures = messages.SignatureDefMap()
        answer.metadata["signature_def"].Unpack(signatures)
        return tuple(sorted(signatures.signature_def["serving_default"].inputs))

    def restore(self, views: Views) -> np.ndarray:
        """See `clients.Client`."""
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        dtype = next(iter(views.values())).dtype
        signature = "uint8" if dtype == np.uint8 else "serving_default"
        request = predict_pb2.PredictRequest()
        request.model_spec.name = self._model
        request.model_spec.signature_name = signature
        request.output_filter.append(RESTORED)
        sent = views if signature == "uint8" else as_floats(views)
        for name, view in sent.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(view[None]))
        answer = _call(self._stub.Predict, request, self._timeout)
        restored = tf.make_ndarray(answer.outputs[RESTORED])[0]
        return restored if signature == "uint8" else levels.to_levels(restored, dtype)


def _call(method, request, timeout):
    try:
        return method(request, timeout=timeout)
    except grpc.RpcError as error:
        if error.code() in _PASSING:
            raise UnavailableError(f"{error.code().name}: {error.details()}") from error
        raise RefusedError(error.code().name, error.details()) from error
