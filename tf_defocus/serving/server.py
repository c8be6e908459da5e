"""A server from its first to its last request.

After SIGTERM or SIGINT no new connection is taken, requests whose head was read are
answered, and the process ends with exit code 0.
"""

import asyncio
import contextlib
import dataclasses
import signal
import socket

import kserve
import uvicorn
from kserve.protocol.dataplane import DataPlane

from tf_defocus.serving import grpc_service
from tf_defocus.serving.bounded_bodies import BoundedBodies
from tf_defocus.serving.hosts import Host
from tf_defocus.serving.http_service import make_app
from tf_defocus.serving.limits import Limits
from tf_defocus.serving.runtime import RestorationModel

GRACE = 10.0  # [s] beyond the time that a request may take
KEEP_ALIVE = 65  # [s], longer than proxies keep idle connections


@dataclasses.dataclass(frozen=True)
class Address:
    """Where a server listens.

    Attributes:
        host: str; "127.0.0.1" for this machine alone, "0.0.0.0" for all.
        http_port, grpc_port: int; 0 takes any that is free.
    """

    host: str = "127.0.0.1"
    http_port: int = 8080
    grpc_port: int = 8081


class _Plane(DataPlane):
    """KServe's, ready while its models are."""

    async def ready(self):
        models = self.model_registry.get_models().values()
        return all([await model.healthy() for model in models])


class _HttpServer(uvicorn.Server):
    """Uvicorn's, which leaves signals to us: they stop both servers."""

    def capture_signals(self):
        return contextlib.nullcontext()


def run(name: str, host: Host, address: Address, limits: Limits) -> None:
    """Serves one model until a signal comes.

    Args:
        name: str, under which clients find it.
        host: what computes; see `hosts.warm_up`.
        address: `Address`.
        limits: `Limits`.

    Raises:
        OSError: if a port is taken.
    """
    asyncio.run(_serve(name, host, address, limits))


async def _serve(name, host, address, limits):
    model = RestorationModel(name, host, limits)
    repository = kserve.ModelRepository()
    repository.update(model)
    plane = _Plane(repository)
    bodies = BoundedBodies(make_app(plane, limits), limits)
    http = _HttpServer(_config(bodies, limits))
    grpc_server, service = grpc_service.make_server(plane, limits)
    listener = socket.create_server((address.host, address.http_port))
    grpc_port = _bind(grpc_server, address)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await grpc_server.start()
    serving = asyncio.create_task(http.serve(sockets=[listener]))
    _say(
        f"serving {name}: http://{address.host}:{listener.getsockname()[1]} (v1, v2), "
        f"grpc {address.host}:{grpc_port} (v2); inputs {', '.join(model.view_names)}"
    )
    await stop.wait()
    http.should_exit = True
    await asyncio.gather(serving, grpc_server.stop(limits.timeout + GRACE))
    model.close()
    accepted = bodies.accepted + service.accepted
    _say(f"stopped: {accepted} requests accepted, "
         f"{bodies.answered + service.answered} answered")  # fmt: skip


def _config(app, limits):
    return uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=int(2 * limits.timeout + GRACE),
    )


def _bind(server, address):
    place = f"{address.host}:{address.grpc_port}"
    try:
        return server.add_insecure_port(place)
    except RuntimeError as error:
        raise OSError(f"{place}: cannot listen there; give another --grpc_port") from (
            error
        )


def _say(line):
    print(line, flush=True)
