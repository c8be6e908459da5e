"""Processes for tests that need several: copies of one that has imported TensorFlow.

To import it takes most of the time of a short process.
"""

import atexit
import multiprocessing
import os
import pathlib
import tempfile

from tests.testing import ROOT

_COPIES = multiprocessing.get_context("forkserver")
_COPIES.set_forkserver_preload(
    ["tf_defocus.training.loop", "tf_defocus.training.tensorflow_step"]
)


class Copy:
    """A process that calls a function.

    Args:
        function: what to call, defined at the top of a module. The process ends as a
            program of its own does: with 1 and a traceback after an exception.
        *arguments: of the function.

    Attributes:
        process: multiprocessing.Process.
    """

    def __init__(self, function, *arguments):
        self._folder = tempfile.TemporaryDirectory()
        folder = pathlib.Path(self._folder.name)
        self._files = folder / "output", folder / "errors"
        self.process = _COPIES.Process(
            target=_call, args=(self._files, function, arguments), daemon=True
        )
        self.process.start()

    def finish(self, code=0, timeout=400):
        """Waits for its end, with that exit code, which is negative after a signal.

        Returns:
            (str, str), what it wrote to the standard output and the error output.
        """
        self.process.join(timeout)
        output, errors = (file.read_text() for file in self._files)
        assert self.process.exitcode == code, (output, errors)
        return output, errors


def _call(files, function, arguments):
    os.chdir(ROOT)
    for number, file in enumerate(files, 1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    try:
        function(*arguments)
    finally:
        atexit._run_exitfuncs()  # a copy otherwise leaves them out
