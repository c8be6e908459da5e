"""Bodies are bounded while they arrive; what is accepted is counted and answered."""

import asyncio

import orjson
import pytest

pytest.importorskip("kserve", reason='pip install ".[serving]"')

from tf_defocus.serving.bounded_bodies import BoundedBodies
from tf_defocus.serving.limits import Limits

LIMITS = Limits(max_request_bytes=10, max_requests=2, timeout=0.2)


async def echo(scope, receive, send):
    body = (await receive())["body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


class Connection:
    """What a client sends, part by part, and what it gets."""

    def __init__(self, *parts, declared=None):
        self.parts = list(parts)
        self.sent = []
        headers = [(b"content-length", declared)] if declared is not None else []
        self.scope = {"type": "http", "method": "POST", "headers": headers}

    async def receive(self):
        if not self.parts:
            await asyncio.sleep(60)
        part = self.parts.pop(0)
        if part is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": part, "more_body": bool(self.parts)}

    async def send(self, message):
        self.sent.append(message)

    @property
    def answer(self):
        return self.sent[0]["status"], self.sent[1]["body"]


def ask(connection, app=echo):
    bounded = BoundedBodies(app, LIMITS)
    asyncio.run(bounded(connection.scope, connection.receive, connection.send))
    assert bounded.accepted == bounded.answered == 1
    return connection


def test_a_body_arrives_in_one_piece():
    assert ask(Connection(b"abc", b"def", b"")).answer == (200, b"abcdef")


@pytest.mark.parametrize(
    "connection",
    [
        Connection(b"12345678901", declared=b"11"),
        Connection(b"", declared=b"x"),
        Connection(b"123456", b"78901", b"2", declared=None),
        Connection(b"123456", b"78901"),
        Connection(b"", declared=b"1000000000000"),
    ],
)
def test_a_body_beyond_the_bound_is_refused(connection):
    status, body = ask(connection).answer
    assert status == 413 and "10 bytes per request" in orjson.loads(body)["error"]


def test_what_is_refused_is_read_so_that_the_client_sees_the_reason():
    connection = ask(Connection(b"123456", b"78901", b"2", b"3"))
    assert connection.parts == []


def test_a_body_that_does_not_arrive_is_given_up():
    connection = Connection(b"1", b"2")
    connection.parts = [b"1"]

    async def receive():
        if connection.parts:
            part = connection.parts.pop()
            return {"type": "http.request", "body": part, "more_body": True}
        await asyncio.sleep(60)

    connection.receive = receive
    assert ask(connection).answer[0] == 408


def test_a_client_that_goes_gets_nothing():
    assert ask(Connection(b"1", None)).sent == []


def test_more_requests_than_the_bound_are_told_to_come_later():
    release = []

    async def wait(scope, receive, send):
        while not release:
            await asyncio.sleep(0.01)
        await echo(scope, receive, send)

    async def three():
        bounded = BoundedBodies(wait, LIMITS)
        connections = [Connection(b"1") for _ in range(3)]
        tasks = [
            asyncio.create_task(bounded(c.scope, c.receive, c.send))
            for c in connections
        ]
        await asyncio.sleep(0.05)
        assert len(connections[2].sent) == 2
        release.append(True)
        await asyncio.gather(*tasks)
        return connections

    first, second, third = asyncio.run(three())
    assert first.answer == second.answer == (200, b"1")
    assert third.answer[0] == 503
    assert (b"retry-after", b"1") in third.sent[0]["headers"]
