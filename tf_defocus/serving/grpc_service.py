"""Protocol v2 over gRPC: KServe's service, with inputs checked as those over HTTP."""

import logging
from concurrent import futures
from typing import Any

import grpc
from kserve.errors import ModelNotFound, ModelNotReady
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.grpc import grpc_predict_v2_pb2 as messages
from kserve.protocol.grpc import grpc_predict_v2_pb2_grpc as service
from kserve.protocol.grpc.servicer import InferenceServicer
from kserve.protocol.model_repository_extension import ModelRepositoryExtension

from tf_defocus.serving import refusals
from tf_defocus.serving.limits import Limits
from tf_defocus.serving.refusals import Refusal
from tf_defocus.serving.runtime import REQUESTS, infer
from tf_defocus.serving.tensors import BYTES, Tensor, from_numbers, from_raw, to_raw

_LOG = logging.getLogger("tf_defocus.serving")
_CODES = {
    refusals.BAD_REQUEST: grpc.StatusCode.INVALID_ARGUMENT,
    refusals.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    refusals.TOO_LARGE: grpc.StatusCode.INVALID_ARGUMENT,
    refusals.OVERLOADED: grpc.StatusCode.UNAVAILABLE,
    refusals.TIMED_OUT: grpc.StatusCode.DEADLINE_EXCEEDED,
}
_TYPED = {"UINT8": "uint_contents", "UINT16": "uint_contents", "FP32": "fp32_contents"}


class RestorationService(InferenceServicer):
    """KServe's service; requests are counted as those over HTTP.

    Args:
        plane: KServe's, with the models.
        limits: `Limits`.

    Attributes:
        accepted, answered: int, calls that infer.
    """

    def __init__(self, plane: DataPlane, limits: Limits) -> None:
        super().__init__(plane, ModelRepositoryExtension(plane.model_registry))
        self._plane = plane
        self._limits = limits
        self.accepted = 0
        self.answered = 0

    async def ModelInfer(
        self, request: messages.ModelInferRequest, context: grpc.aio.ServicerContext
    ) -> messages.ModelInferResponse:
        """Answers one request."""
        self.accepted += 1
        try:
            return await self._answer(request)
        except Exception as error:
            code, reason = _code_of(error)
            REQUESTS.labels("grpc", code.name).inc()
            await context.abort(code, reason)
        finally:
            self.answered += 1

    async def _answer(self, request):
        tensors = _read_inputs(request)
        output = await infer(
            self._plane, request.model_name, tensors, self._limits.timeout
        )
        REQUESTS.labels("grpc", "OK").inc()
        described = messages.ModelInferResponse.InferOutputTensor(
            name=output.name, datatype=output.datatype, shape=output.shape
        )
        return messages.ModelInferResponse(
            model_name=request.model_name,
            id=request.id,
            outputs=[described],
            raw_output_contents=[to_raw(output)],
        )

    async def RepositoryModelLoad(self, request: Any, context: Any) -> None:
        """Refused: the server keeps the model that it was started with."""
        await context.abort(
            grpc.StatusCode.PERMISSION_DENIED,
            "this server restores with the model it was started with",
        )

    RepositoryModelUnload = RepositoryModelLoad


def make_server(
    plane: DataPlane, limits: Limits
) -> tuple[grpc.aio.Server, RestorationService]:
    """The server, not yet started, and its service.

    Args:
        plane: KServe's, with the models.
        limits: `Limits`.

    Returns:
        `(server, service)`.
    """
    server = grpc.aio.server(
        futures.ThreadPoolExecutor(1),
        options=[
            ("grpc.max_receive_message_length", limits.max_request_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),  # a port that is taken is an error
        ],
        maximum_concurrent_rpcs=limits.max_requests,
    )
    servicer = RestorationService(plane, limits)
    service.add_GRPCInferenceServiceServicer_to_server(servicer, server)
    return server, servicer


def _read_inputs(request):
    raws = request.raw_input_contents
    if raws and len(raws) != len(request.inputs):
        raise Refusal(
            f"expected raw contents for each of {len(request.inputs)} inputs; received "
            f"{len(raws)}"
        )
    if raws:
        return [
            from_raw(given.name, given.datatype, list(given.shape), raw)
            for given, raw in zip(request.inputs, raws)
        ]
    return [_read_typed(given) for given in request.inputs]


def _read_typed(given):
    if given.datatype == BYTES:
        values = list(given.contents.bytes_contents)
        if list(given.shape) != [len(values)]:
            raise Refusal(f"{given.name}: expected shape [{len(values)}]")
        return Tensor(given.name, BYTES, values)
    field = _TYPED.get(given.datatype)
    values = list(getattr(given.contents, field)) if field else []
    return from_numbers(given.name, given.datatype, list(given.shape), values)


def _code_of(error):
    if isinstance(error, Refusal):
        return _CODES[error.status], str(error)
    if isinstance(error, ModelNotFound):
        return grpc.StatusCode.NOT_FOUND, error.reason
    if isinstance(error, ModelNotReady):
        return grpc.StatusCode.UNAVAILABLE, str(error)
    _LOG.error("ModelInfer failed", exc_info=error)
    return grpc.StatusCode.INTERNAL, "the server failed; its log says why"
