"""Workers meet before TensorFlow connects them; who cannot come tells the others.

TensorFlow's own servers wait for an hour for a worker that ended before it got to them.
Here every worker listens at its own address, calls all others, and goes on when it has
reached all and has been called by all.
"""

import atexit
import contextlib
import json
import socket
import socketserver
import threading
import time
from collections.abc import Iterator

from tf_defocus.training.workers import Worker

MEETING_SECONDS = 600.0  # clusters start machines one after another
TELLING_SECONDS = 20.0  # of a worker that ends, to tell the others why
LEAVING_SECONDS = 10.0  # of the first worker, for the others to end before it
_CALL_SECONDS = 2.0
_LINE = 4096  # bytes of a message at most
_met = set()  # addresses at which this process has met the others
_leaving = set()  # clusters whose first worker this process is


@contextlib.contextmanager
def errors_told(worker: Worker) -> Iterator[None]:
    """Inside, an error of this worker ends the others too, with the same line.

    Args:
        worker: `Worker`.
    """
    try:
        yield
    except (ValueError, OSError) as error:
        _tell(worker, str(error))
        raise


def meet(worker: Worker, seconds: float = MEETING_SECONDS) -> None:
    """Waits until all workers are there; once in a process.

    Args:
        worker: `Worker`; alone, it waits for nobody.
        seconds: float, for how long.

    Raises:
        OSError: if this worker's port is taken, another worker says why it cannot go
            on, or one does not come in time.
    """
    if not worker.hosts or worker.hosts[worker.index] in _met:
        return
    with errors_told(worker):
        server = _listen(worker)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        _wait_for_all(worker, server.messages, seconds)
    finally:
        server.shutdown()
        server.server_close()
    _met.add(worker.hosts[worker.index])


def leave_last(worker: Worker) -> None:
    """Has the first worker's process end after the others, for some seconds at most.

    They still ask it for the last results, and end with an error if it is gone.
    """
    if worker.writes and worker.hosts and worker.hosts not in _leaving:
        _leaving.add(worker.hosts)
        atexit.register(wait_until_gone, worker.hosts[1:])


def wait_until_gone(hosts: tuple[str, ...]) -> None:
    """Returns when nothing listens at any of these addresses, or in vain."""
    deadline = time.monotonic() + LEAVING_SECONDS
    while time.monotonic() < deadline and any(map(_listens, hosts)):
        time.sleep(0.05)


def _listens(host):
    name, _, port = host.rpartition(":")
    try:
        socket.create_connection((name, int(port)), _CALL_SECONDS).close()
    except OSError:
        return False
    return True


def _wait_for_all(worker, messages, seconds):
    others = set(range(len(worker.hosts))) - {worker.index}
    reached, deadline = set(), time.monotonic() + seconds
    while not (reached >= others and messages.keys() >= others):
        for other in sorted(others - reached):
            if _call(worker.hosts[other], {"worker": worker.index}):
                reached.add(other)
        reasons = [reason for reason in messages.values() if reason]
        if reasons:
            raise OSError(reasons[0])
        if time.monotonic() > deadline:
            absent = [worker.hosts[i] for i in sorted(others - messages.keys())]
            raise TimeoutError(
                f"workers {absent or 'that cannot be reached from here'} did not come "
                f"in {seconds:g} s; start all of them, with the same --worker_hosts"
            )
        time.sleep(0.05)


class _Listener(socketserver.TCPServer):
    """Takes the others' messages: worker -> why it ends, or None.

    Args:
        address: (host, port).
        num_workers: int.
    """

    allow_reuse_address = True

    def __init__(self, address, num_workers):
        self.num_workers = num_workers
        self.messages = {}
        super().__init__(address, _Call)

    def handle_error(self, request, client_address):
        """A caller that is no worker is not heard."""


class _Call(socketserver.StreamRequestHandler):
    timeout = _CALL_SECONDS

    def handle(self):
        message = json.loads(self.rfile.readline(_LINE))
        number = message["worker"]
        if number in range(self.server.num_workers):
            self.wfile.write(b"heard\n")
            reason = message.get("error")
            named = f"worker {number} ended: {reason}"
            self.server.messages[number] = named if reason else None


def _listen(worker):
    name, _, port = worker.hosts[worker.index].rpartition(":")
    address = name if name in ("localhost", "127.0.0.1") else ""
    try:
        return _Listener((address, int(port)), len(worker.hosts))
    except OSError as error:
        raise OSError(
            f"port {port} of this worker ({name}:{port}) is taken ({error.strerror}); "
            "name another one, the same for all workers"
        ) from error


def _tell(worker, reason):
    waiting = set(range(len(worker.hosts))) - {worker.index}
    if not waiting or worker.hosts[worker.index] in _met:
        return
    message = {"worker": worker.index, "error": reason[: _LINE // 8]}
    deadline = time.monotonic() + TELLING_SECONDS
    while waiting and time.monotonic() < deadline:
        for other in sorted(waiting):
            if _call(worker.hosts[other], message):
                waiting.discard(other)
        time.sleep(0.05)


def _call(host, message):
    """Whether a worker listens there and heard the message."""
    name, _, port = host.rpartition(":")
    try:
        with socket.create_connection((name, int(port)), _CALL_SECONDS) as line:
            line.sendall(json.dumps(message).encode() + b"\n")
            return line.makefile("rb").readline(16) == b"heard\n"
    except OSError:
        return False
