"""Requests over HTTP are bounded and counted before any of their bytes are kept."""

import asyncio
from collections.abc import Awaitable, Callable

import orjson

from tf_defocus.serving.limits import Limits
from tf_defocus.serving.refusals import OVERLOADED, TOO_LARGE, TOO_SLOW, Refusal

Receive = Callable[[], Awaitable[dict]]
Send = Callable[[dict], Awaitable[None]]
DISCARDED = 8  # times the bound: so much of what is refused is read and dropped
_TOO_MANY = "this server takes {} bytes per request; received {}"


class BoundedBodies:
    """ASGI: reads a request's whole body within bounds, then hands it on.

    Args:
        app: the ASGI application behind it.
        limits: `Limits`.

    Attributes:
        accepted: int, requests whose head was read, GET apart.
        answered: int, those of them whose answer was sent.
    """

    def __init__(
        self, app: Callable[[dict, Receive, Send], Awaitable[None]], limits: Limits
    ) -> None:
        self._app = app
        self._limits = limits
        self.accepted = 0
        self.answered = 0

    async def __call__(self, scope: dict, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        active = self.accepted - self.answered
        self.accepted += 1
        try:
            await self._answer(scope, receive, send, active)
        finally:
            self.answered += 1

    async def _answer(self, scope, receive, send, active):
        incoming = _Incoming(receive)
        reading = self._read(incoming, dict(scope["headers"]), active)
        try:
            body = await asyncio.wait_for(reading, self._limits.timeout)
        except asyncio.TimeoutError:
            reason = f"the body did not arrive within {self._limits.timeout:g} s"
            await refuse(send, Refusal(reason, TOO_SLOW))
        except Refusal as refusal:
            await refuse(send, refusal)
        except ConnectionError:  # the client has gone
            return
        else:
            await self._app(scope, _whole(body, receive), send)

    async def _read(self, incoming, headers, active):
        """The body; one that is refused is read to its end, or far enough."""
        most = self._limits.max_request_bytes
        declared = headers.get(b"content-length", b"0").decode("latin-1")
        try:
            if active >= self._limits.max_requests:
                raise Refusal(f"{active} requests are open; try later", OVERLOADED)
            if not declared.isdecimal() or int(declared) > most:
                raise Refusal(_TOO_MANY.format(most, declared[:30]), TOO_LARGE)
            return await incoming.read(most)
        except Refusal:
            # Else the client, still sending, would not see why its connection ended.
            if declared.isdecimal() and int(declared) <= DISCARDED * most:
                await incoming.discard(DISCARDED * most)
            raise


class _Incoming:
    """The parts of a body."""

    def __init__(self, receive):
        self._receive = receive
        self._ended = False

    async def read(self, most):
        parts, length = [], 0
        while not self._ended:
            parts.append(await self._next())
            length += len(parts[-1])
            if length > most:
                raise Refusal(_TOO_MANY.format(most, f"{length} or more"), TOO_LARGE)
        return b"".join(parts)

    async def discard(self, most):
        while not self._ended and most > 0:
            most -= len(await self._next())

    async def _next(self):
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError
        self._ended = not message.get("more_body")
        return message.get("body", b"")


async def refuse(send: Send, refusal: Refusal) -> None:
    """Sends a refusal and closes the connection, whose body may not have been read.

    Args:
        send: of ASGI.
        refusal: `Refusal`.
    """
    body = orjson.dumps({"error": str(refusal)})
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    if refusal.status == OVERLOADED:
        headers.append((b"retry-after", b"1"))
    start = {"type": "http.response.start", "status": refusal.status}
    await send(start | {"headers": headers})
    await send({"type": "http.response.body", "body": body})


def _whole(body, receive):
    """What the application receives: the body in one piece, then what follows."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_whole():
        return waiting.pop() if waiting else await receive()

    return receive_whole
