"""Protocols v1 and v2 over HTTP, as an application of FastAPI.

KServe's routes tell of the server's health and its models; the two that infer are ours
(see `v2`), and so is the wording of what goes wrong: `{"error": one reason}`.
"""

import logging
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from kserve.errors import ModelNotFound, ModelNotReady, ServerNotReady
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.model_repository_extension import ModelRepositoryExtension
from kserve.protocol.rest.v1_endpoints import register_v1_endpoints
from kserve.protocol.rest.v2_endpoints import register_v2_endpoints
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from tf_defocus.serving import v1, v2
from tf_defocus.serving.limits import Limits
from tf_defocus.serving.refusals import NOT_FOUND, OVERLOADED, Refusal
from tf_defocus.serving.runtime import REQUESTS, infer

_LOG = logging.getLogger("tf_defocus.serving")
_INTERNAL = "the server failed over this request; its log says why"


def make_app(plane: DataPlane, limits: Limits) -> FastAPI:
    """The application.

    Args:
        plane: KServe's, with the models.
        limits: `Limits`.

    Returns:
        A FastAPI application.
    """
    app = FastAPI(title="tf_defocus", docs_url=None, redoc_url=None, openapi_url=None)
    _add_routes(app, plane, limits)
    register_v1_endpoints(app, plane, None)
    register_v2_endpoints(app, plane, ModelRepositoryExtension(plane.model_registry))
    for kind in (Refusal, ModelNotFound, ModelNotReady, ServerNotReady, HTTPException,
                 RequestValidationError, NotImplementedError, Exception):  # fmt: skip
        app.add_exception_handler(kind, _explain)
    return app


def _add_routes(app, plane, limits):
    # Before KServe's own, so that these are found first.
    @app.post("/v1/models/{model_name}:predict")
    async def predict(model_name: str, request: Request) -> Response:
        model = plane.get_model_from_registry(model_name)
        body = await request.body()
        tensors, in_rows = await model.in_reader(
            v1.read_request, body, model.view_names
        )
        output = await infer(plane, model_name, tensors, limits.timeout)
        body = await model.in_reader(v1.write_answer, output, in_rows)
        REQUESTS.labels("v1", "200").inc()
        return Response(body, media_type="application/json")

    @app.post("/v2/models/{model_name}/infer")
    async def infer_v2(model_name: str, request: Request) -> Response:
        model = plane.get_model_from_registry(model_name)
        length = request.headers.get(v2.LENGTH_HEADER)
        asked = await model.in_reader(v2.read_request, await request.body(), length)
        output = await infer(plane, model_name, asked.tensors, limits.timeout)
        body, headers = await model.in_reader(
            v2.write_answer, asked, model_name, output
        )
        REQUESTS.labels("v2", "200").inc()
        return Response(body, headers=headers)

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    @app.post("/v1/models/{model_name}:explain")
    @app.post("/v2/repository/models/{model_name}/{action}")
    async def refuse() -> Response:
        raise Refusal("this server restores with the model it was started with", 403)


async def _explain(request, error):
    """One reason for the client; what is a fault of ours goes to the log, whole."""
    status, reason, headers = _status_of(error)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        _LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
    protocol = request.url.path[1:3] if request.method == "POST" else "other"
    protocol = protocol if protocol in ("v1", "v2") else "other"
    REQUESTS.labels(protocol, str(int(status))).inc()
    return JSONResponse({"error": reason}, status, headers)


def _status_of(error):
    if isinstance(error, Refusal):
        return error.status, str(error), None
    if isinstance(error, ModelNotFound):
        return NOT_FOUND, error.reason, None
    if isinstance(error, (ModelNotReady, ServerNotReady)):
        return OVERLOADED, str(error), {"retry-after": "1"}
    if isinstance(error, HTTPException):
        return error.status_code, str(error.detail), error.headers
    if isinstance(error, RequestValidationError):
        return HTTPStatus.BAD_REQUEST, "the request has another form", None
    if isinstance(error, NotImplementedError):  # KServe's, of routes we do not offer
        return HTTPStatus.NOT_FOUND, "this server has no such function", None
    return HTTPStatus.INTERNAL_SERVER_ERROR, _INTERNAL, None
