"""The process that restores: kept warm, ended when a restoration is cancelled.

It runs `tf-defocus deblur` on one photograph after another, with the options that the
page asks for, so that the files are those of the command. A process of its own gives
its memory back, stops at once wherever it is, and takes no page with it if the system
ends it for want of memory.
"""

import argparse
import contextlib
import multiprocessing
import multiprocessing.connection
import signal
import threading
from collections.abc import Callable, Sequence

from tf_defocus.cli import deblur

_POLL = 0.1  # [s], how soon a wish to stop is seen
# Options that differ from photograph to photograph; a change of others loads anew.
_OF_A_PHOTOGRAPH = {
    *("input", "output", "left", "right", "mask", "defocus_map"),
    *("strength", "suffix", "ext", "overwrite", "skip_existing"),
}


class RestorationError(ValueError):
    """A photograph was not restored: one line."""


class Stopped(Exception):
    """The restoration was cancelled."""


class Worker:
    """A process that restores one photograph at a time; made when it is needed.

    Args:
        serve: function of a connection, what the process runs.
    """

    def __init__(self, serve: Callable | None = None) -> None:
        self._serve = serve or serve_restorations
        self._lock = threading.Lock()
        self._process = self._connection = None

    def start(self) -> None:
        """Starts the process, if it does not run, without waiting for it."""
        if self._process is not None and self._process.is_alive():
            return
        self.end()
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=self._serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def end(self) -> None:
        """Ends the process, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._connection.close()
        self._process = self._connection = None

    def restore(
        self,
        arguments: Sequence[str],
        on_progress: Callable[[int, int], None],
        stop: threading.Event,
    ) -> tuple[str, ...]:
        """Restores one photograph; other threads wait for their turn.

        Args:
            arguments: of `tf-defocus deblur`, with one photograph.
            on_progress: called with (steps done, steps in all).
            stop: an event that, when it is set, ends the restoration.

        Returns:
            tuple of str: what was converted on the way.

        Raises:
            RestorationError: if it fails.
            Stopped: if `stop` was set.
        """
        with self._lock:
            self.start()
            try:
                self._connection.send(list(arguments))
                kind, found = self._wait(on_progress, stop)
            except (EOFError, OSError):
                self.end()
                raise RestorationError(
                    "the restoration was ended by the system, as it does when memory "
                    "runs out; close other programs, or start with `--tile 512`"
                ) from None
        if kind == "failed":
            raise RestorationError(found)
        return found

    def _wait(self, on_progress, stop):
        while not stop.is_set():
            if not self._connection.poll(_POLL):
                continue
            kind, found = self._connection.recv()
            if kind != "progress":
                return kind, found
            on_progress(*found)
        self.end()
        self.start()
        raise Stopped


def serve_restorations(connection: multiprocessing.connection.Connection) -> None:
    """What the process runs: for every list of arguments that comes, a restoration.

    Args:
        connection: gives lists of arguments; takes `("progress", (done, total))`, then
            `("restored", notes)` or `("failed", line)`.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the page ends this process
    restorers = {}
    try:
        _warm_up()
        while True:
            arguments = connection.recv()
            connection.send(_outcome(arguments, restorers, connection))
    except (EOFError, OSError):  # the page is gone
        return


def _warm_up():
    """Loads what every restoration needs, while the photograph is still chosen."""
    from tf_defocus import commands

    with contextlib.suppress(commands.BackendError):  # said of the first photograph
        commands.require_backend()
        import tf_defocus.restoration.restorer  # noqa: F401


def _outcome(arguments, restorers, connection):
    from tf_defocus.restoration.failures import describe_failure
    from tf_defocus.restoration.photo_jobs import run_job

    def report(*steps):
        connection.send(("progress", steps))

    options = parse(arguments)
    try:
        with deblur.on_device(options.device):
            restorer = _restorer(options, restorers)
            (job,), _ = deblur.jobs_of(options, restorer)
            control = deblur.control_of(options, 1)
            try:
                return "restored", run_job(job, restorer, report, control=control)
            except Exception as error:  # the next photograph is still to be done
                return "failed", describe_failure(job, error)
    except ValueError as error:  # no backend; a preset damaged; options that clash
        return "failed", str(error)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options of `tf-defocus deblur`, as its command line gives them."""
    parser = argparse.ArgumentParser(prog="tf-defocus")
    deblur.add_deblur(parser.add_subparsers())
    return parser.parse_args(["deblur", *arguments])


def _restorer(options, restorers):
    """The restorer of these options; the last one is kept in the dict."""
    key = tuple(
        (name, str(value))
        for name, value in sorted(vars(options).items())
        if name not in _OF_A_PHOTOGRAPH
    )
    if key not in restorers:
        restorers.clear()
        restorers[key] = deblur.load_restorer(options)
    return restorers[key]
