"""Workers meet at their own addresses; one that cannot come ends all."""

import concurrent.futures
import socket
import subprocess
import sys
import time

import pytest

from tests.testing import ROOT
from tf_defocus.training import meeting
from tf_defocus.training.workers import Worker


@pytest.fixture(autouse=True)
def _met(monkeypatch):
    """One process meets once; here each test is several of them."""

    class Forgetful(set):
        def add(self, _):
            pass

    monkeypatch.setattr(meeting, "_met", Forgetful())


def workers(count):
    servers = [socket.create_server(("localhost", 0)) for _ in range(count)]
    hosts = tuple(f"localhost:{server.getsockname()[1]}" for server in servers)
    for server in servers:
        server.close()
    return [Worker(index, hosts) for index in range(count)]


def meet(worker, delay=0.0, seconds=30.0):
    time.sleep(delay)
    try:
        meeting.meet(worker, seconds)
    except OSError as error:
        return str(error)
    return "met"


def answers(calls):
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(meet, *c) for c in calls]]


def test_all_go_on_when_all_are_there_whoever_is_late():
    one, two, three = workers(3)
    assert answers([(one,), (two, 0.4), (three, 0.1)]) == ["met"] * 3
    meeting.meet(Worker())  # alone


def test_a_taken_port_is_named_to_all():
    one, two = workers(2)
    port = int(two.hosts[1].rpartition(":")[2])
    with socket.create_server(("localhost", port)):
        first, second = answers([(one,), (two,)])
    assert second.startswith(f"port {port} of this worker (localhost:{port}) is taken")
    assert first == f"worker 1 ended: {second}"


def test_an_error_before_the_meeting_ends_the_others(monkeypatch):
    one, two = workers(2)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(meet, one)
        with pytest.raises(ValueError, match="no data"), meeting.errors_told(two):
            raise ValueError("no data")
        assert waiting.result() == "worker 1 ended: no data"
    monkeypatch.setattr(meeting, "TELLING_SECONDS", 0.1)
    with pytest.raises(ValueError, match="no data"), meeting.errors_told(two):
        raise ValueError("no data")  # nobody hears it


@pytest.fixture
def no_patience(monkeypatch):
    monkeypatch.setattr(meeting, "TELLING_SECONDS", 0.1)
    monkeypatch.setattr(meeting, "RETURN_SECONDS", 0.3)


def end(worker, folder, reason):
    """Ends before the meeting, when nobody listens who was not there before."""
    with pytest.raises(ValueError, match=reason), meeting.errors_told(worker, folder):
        raise ValueError(reason)


def go_on(worker, folder):
    """To the meeting, and past it."""
    with meeting.errors_told(worker, folder):
        meeting.meet(worker, 30)
    return "met"


@pytest.mark.usefixtures("no_patience")
def test_who_starts_when_another_has_ended_finds_the_reason_once(tmp_path):
    (*late, failed), folder = workers(3), tmp_path / "run"
    end(failed, folder, "no data")
    start = time.monotonic()
    for worker in late:
        with pytest.raises(OSError, match=r"^worker 2 ended: no data$"):
            go_on(worker, folder)
    assert time.monotonic() - start < 10
    assert not list(folder.iterdir())
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(go_on, worker, folder) for worker in (*late, failed)]
        assert [call.result() for call in calls] == ["met"] * 3


@pytest.mark.usefixtures("no_patience")
def test_a_note_of_who_is_back_or_of_other_workers_ends_nobody(tmp_path, monkeypatch):
    late, failed = workers(2)
    end(failed, tmp_path, "no data")
    other = Worker(0, (late.hosts[0], "localhost:1"))
    with meeting.errors_told(other, tmp_path):
        pass
    monkeypatch.setattr(meeting, "RETURN_SECONDS", 30)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        going_on = pool.submit(go_on, late, tmp_path)
        time.sleep(0.2)
        assert len(list(tmp_path.iterdir())) == 1 and not going_on.done()
        assert go_on(failed, tmp_path) == going_on.result() == "met"
    assert not list(tmp_path.iterdir())
    end(failed, tmp_path, "no data")
    monkeypatch.setattr(meeting.meeting_notes, "VALID_SECONDS", -1)
    with meeting.errors_told(late, tmp_path):
        pass


def test_who_hears_the_reason_finds_no_note(tmp_path):
    one, two = workers(2)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(meet, one)
        end(two, tmp_path, "no data")
        assert waiting.result() == "worker 1 ended: no data"
    assert not list(tmp_path.iterdir())


def test_who_does_not_come_is_named(monkeypatch):
    monkeypatch.setattr(meeting, "TELLING_SECONDS", 0.1)
    one, _ = workers(2)
    line = meet(one, seconds=0.2)
    assert line.startswith(f"workers ['{one.hosts[1]}'] did not come in 0.2 s")


def test_who_reads_data_is_waited_for_until_it_is_gone(monkeypatch):
    monkeypatch.setattr(meeting, "TELLING_SECONDS", 0.1)
    monkeypatch.setattr(meeting, "GONE_SECONDS", 0.3)
    one, two = workers(2)
    server = meeting._listen(two)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(meet, one, seconds=0.2)
        time.sleep(1)
        assert not waiting.done() and server.ready == {0}
        server.end()  # as if it had been killed
        assert f"workers ['{one.hosts[1]}'] did not come in 0.3 s" in waiting.result()


INTERRUPTED = """
import concurrent.futures, sys, time
from tf_defocus.training import meeting
from tf_defocus.training.workers import Worker
one, two = (Worker(index, tuple(sys.argv[1:])) for index in (0, 1))
with concurrent.futures.ThreadPoolExecutor(1) as pool:
    telling = pool.submit(meeting._tell, two, "no data")
    try:
        with meeting.errors_told(one):
            time.sleep(60)
    except OSError as error:
        print(error)
    telling.result()
with meeting.errors_told(one):  # the port is free again
    print(meeting._listens(one.hosts[0]))
print(meeting._listeners)
"""


def test_who_reads_data_is_interrupted_by_the_others_error():
    # In a process of its own: a signal that is not caught ends the tests' process.
    start = time.monotonic()
    one, _ = workers(2)
    command = [sys.executable, "-c", INTERRUPTED, *one.hosts]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    said = ["worker 1 ended: no data", "True", "{}"]
    assert done.stdout.splitlines() == said, done.stderr
    assert time.monotonic() - start < 50


def test_what_is_no_worker_is_not_heard():
    one, two = workers(2)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(meet, one)
        for text in (b"GET / HTTP/1.1\n", b'{"worker": 7}\n', b"[]\n", b"\xff" * 5000):
            while True:
                try:
                    address = ("localhost", int(one.hosts[0].rpartition(":")[2]))
                    with socket.create_connection(address, 2) as line:
                        line.sendall(text)
                    break
                except ConnectionRefusedError:
                    time.sleep(0.02)
        assert not waiting.done()
        assert meet(two) == "met" and waiting.result() == "met"


def test_the_first_worker_waits_until_the_others_are_gone(monkeypatch):
    one, two = workers(2)
    server = socket.create_server(("localhost", int(two.hosts[1].rpartition(":")[2])))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(meeting.wait_until_gone, one.hosts[1:])
        time.sleep(0.2)
        assert not waiting.done()
        server.close()
        waiting.result(timeout=5)
    registered = []
    monkeypatch.setattr(
        meeting.atexit, "register", lambda *call: registered.append(call)
    )
    for worker in (two, one, one, Worker()):
        meeting.leave_last(worker)
    assert registered[0] == (meeting.wait_until_gone, one.hosts[1:])
    monkeypatch.setattr(meeting, "LEAVING_SECONDS", 0.1)
    with socket.create_server(("localhost", 0)) as other:
        meeting.wait_until_gone((f"localhost:{other.getsockname()[1]}",))  # in vain
