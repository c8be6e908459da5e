"""Workers meet before TensorFlow connects them; who cannot come tells the others.

TensorFlow's own servers wait for an hour for a worker that ended before it got to them.
Here every worker listens at its own address from its start, calls all others when it is
ready, and goes on when all are. Whoever fails before tells the others why, also those
that still read their data, and they end too. For those that do not listen yet a note
stays in the folder of the run.
"""

import atexit
import contextlib
import json
import os
import signal
import socket
import socketserver
import threading
import time
from collections.abc import Iterator

from tf_defocus.training import meeting_notes
from tf_defocus.training.workers import Worker

MEETING_SECONDS = 600.0  # clusters start machines one after another
TELLING_SECONDS = 30.0  # of a worker that ends, to tell the others why
RETURN_SECONDS = 5.0  # of who left a note, to be there again
GONE_SECONDS = 20.0  # without an answer, of a worker that was there before
LEAVING_SECONDS = 10.0  # of the first worker, for the others to end before it
_CALL_SECONDS = 2.0
_PAUSE_SECONDS = 0.05
_LINE = 4096  # bytes of a message at most
_listeners = {}  # address -> `_Listener` of a worker that is not at the meeting yet
_met = set()  # addresses at which this process has met the others
_leaving = set()  # clusters whose first worker this process is


@contextlib.contextmanager
def errors_told(
    worker: Worker, folder: str | os.PathLike | None = None
) -> Iterator[None]:
    """Inside, until the meeting, an error of any worker ends all, with the same line.

    A block within such a block does nothing.

    Args:
        worker: `Worker`.
        folder: of the run, the same for all workers; None leaves and reads no notes.

    Raises:
        OSError: if this worker's port is taken, or another worker ended.
    """
    place = worker.hosts[worker.index] if worker.hosts else None
    if place is None or place in _met or place in _listeners:
        yield
        return
    server = _listeners[place] = _listen(worker, folder)
    try:
        server.interrupt()
        if folder is not None:
            _heed_notes(worker, server, folder)
        yield
    except BaseException as error:
        server.end()
        if server.reason:  # who gave it tells the others, too
            raise OSError(server.reason) from error
        _tell(worker, str(error) or type(error).__name__, folder)
        raise
    finally:
        server.end()
        del _listeners[place]


def meet(worker: Worker, seconds: float = MEETING_SECONDS) -> None:
    """Waits until all workers are ready; once in a process.

    Args:
        worker: `Worker`; alone, it waits for nobody.
        seconds: float, for how long until each has started. One that has, and still
            listens, reads its data and is waited for.

    Raises:
        OSError: if this worker's port is taken, another worker says why it cannot go
            on, or one does not come.
    """
    if not worker.hosts or worker.hosts[worker.index] in _met:
        return
    with errors_told(worker):
        server = _listeners[worker.hosts[worker.index]]
        server.interrupt_no_more()
        _wait_for_all(worker, server, seconds)
        server.end()
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
        time.sleep(_PAUSE_SECONDS)


def _listens(host):
    name, _, port = host.rpartition(":")
    try:
        socket.create_connection((name, int(port)), _CALL_SECONDS).close()
    except OSError:
        return False
    return True


def _heed_notes(worker, server, folder):
    """Ends with the reason of who ended before this worker started, and is not back."""
    for other in range(len(worker.hosts)):
        meeting_notes.remove(folder, worker.index, other)
    deadline = time.monotonic() + RETURN_SECONDS
    for other, reason in meeting_notes.find(folder, worker).items():
        while not (server.reason or _listens(worker.hosts[other])):
            if time.monotonic() > deadline:
                server.reason = f"worker {other} ended: {reason}"
            time.sleep(_PAUSE_SECONDS)
        meeting_notes.remove(folder, other, worker.index)
    if server.reason:
        raise OSError(server.reason)


def _wait_for_all(worker, server, seconds):
    others = set(range(len(worker.hosts))) - {worker.index}
    told, seen = set(), dict.fromkeys(others, time.monotonic())
    while not (told >= others and server.ready >= others):
        for other in sorted(others - told):
            if _call(worker.hosts[other], {"worker": worker.index}):
                told.add(other)
                seen[other] = time.monotonic()
        for other in others - server.ready:
            if other in told and _listens(worker.hosts[other]):
                seen[other] = time.monotonic()
        if server.reason:
            raise OSError(server.reason)
        _require_presence(worker, told, server.ready, seen, seconds)
        time.sleep(_PAUSE_SECONDS if told < others else 5 * _PAUSE_SECONDS)


def _require_presence(worker, told, ready, seen, seconds):
    """Refuses to wait longer for who never came, or came and is gone."""
    limits = {n: GONE_SECONDS if n in told else seconds for n in seen.keys() - ready}
    absent = [n for n, limit in limits.items() if time.monotonic() - seen[n] > limit]
    if absent:
        raise TimeoutError(
            f"workers {[worker.hosts[n] for n in sorted(absent)]} did not come in "
            f"{max(limits[n] for n in absent):g} s, or ended; start all of them, with "
            "the same --worker_hosts"
        )


class _Listener(socketserver.TCPServer):
    """Hears the other workers, in a thread of its own.

    Args:
        address: (host, port).
        num_workers: int.

    Attributes:
        ready: set of int, those who are ready.
        reason: str, why one of them ended, or None.
    """

    allow_reuse_address = True

    def __init__(self, address, num_workers):
        self.num_workers = num_workers
        self.ready = set()
        self.reason = None
        self._interrupts = False
        self._previous = None
        self._lock = threading.Lock()
        super().__init__(address, _Call)
        arguments = {"args": (_PAUSE_SECONDS,), "daemon": True}
        threading.Thread(target=self.serve_forever, **arguments).start()

    def hear(self, number, error):
        """Notes what a worker says."""
        if not error:
            self.ready.add(number)
            return
        with self._lock:
            self.reason = self.reason or f"worker {number} ended: {error}"
            if self._interrupts:
                self._interrupts = False
                signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)

    def interrupt(self):
        """From now on a reason ends what the main thread does, if we are in it.

        By a signal that shells do not switch off for what runs in the background, and
        an exception that no code takes for a missing file.
        """
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGUSR1, self._raise)
            with self._lock:
                self._interrupts = self.reason is None
            if self.reason:  # heard before anybody could be interrupted
                self._raise(signal.SIGUSR1, None)

    def interrupt_no_more(self):
        """From now on `reason` is looked at."""
        with self._lock:
            self._interrupts = False
        if self._previous is not None:
            signal.signal(signal.SIGUSR1, self._previous)
            self._previous = None

    def _raise(self, _number, _frame):
        raise KeyboardInterrupt(self.reason or "stopped by SIGUSR1")

    def end(self):
        """Listens no longer."""
        self.interrupt_no_more()
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        """A caller that is no worker is not heard."""


class _Call(socketserver.StreamRequestHandler):
    timeout = _CALL_SECONDS

    def handle(self):
        message = json.loads(self.rfile.readline(_LINE))
        number = message["worker"]
        if number in range(self.server.num_workers):
            self.server.hear(number, message.get("error"))
            self.wfile.write(b"heard\n")


def _listen(worker, folder=None):
    name, _, port = worker.hosts[worker.index].rpartition(":")
    address = name if name in ("localhost", "127.0.0.1") else ""
    try:
        return _Listener((address, int(port)), len(worker.hosts))
    except OSError as error:
        reason = (
            f"port {port} of this worker ({name}:{port}) is taken ({error.strerror}); "
            "name another one, the same for all workers"
        )
        _tell(worker, reason, folder)
        raise OSError(reason) from error


def _tell(worker, reason, folder=None):
    waiting = set(range(len(worker.hosts))) - {worker.index}
    if not waiting or worker.hosts[worker.index] in _met:
        return
    message = {"worker": worker.index, "error": reason[: _LINE // 8]}
    if folder is not None:  # before the last call, which may come just too early
        meeting_notes.leave(folder, worker, sorted(waiting), message["error"])
    deadline = time.monotonic() + TELLING_SECONDS
    while waiting and time.monotonic() < deadline:
        for other in sorted(waiting):
            if _call(worker.hosts[other], message):
                waiting.discard(other)
                if folder is not None:
                    meeting_notes.remove(folder, worker.index, other)
        time.sleep(_PAUSE_SECONDS)


def _call(host, message):
    """Whether a worker listens there and heard the message."""
    name, _, port = host.rpartition(":")
    try:
        with socket.create_connection((name, int(port)), _CALL_SECONDS) as line:
            line.sendall(json.dumps(message).encode() + b"\n")
            return line.makefile("rb").readline(16) == b"heard\n"
    except OSError:
        return False
