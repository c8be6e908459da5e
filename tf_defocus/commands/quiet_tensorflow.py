"""TensorFlow without its own lines on the screen; importing this module sees to it.

Three sources, three means. The C++ obeys a level in the environment, once it runs.
While it is loaded it writes to the error output whatever the level: that is held back,
and what is no note of TensorFlow's is written out afterwards. The Python modules
obey the loggers. Errors are hidden by none of them, but for those of C++ that stop
nothing: on a machine without a GPU it calls that an error. What stops the work is
raised as an exception all the same. Who sets TF_CPP_MIN_LOG_LEVEL below 3 sees
everything; processes that this one starts find 3, and are silent, too.
"""

import contextlib
import logging
import os
import pathlib
import re
import sys
import tempfile

from absl import logging as absl_logging

_NOTE = re.compile(rb"[IW]\d{4} |WARNING: All log messages before absl")


class _QuietFinder:
    """Finds TensorFlow as usual, and lets it be loaded in silence."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "tensorflow":
            return None
        others = [finder for finder in sys.meta_path if finder is not _QuietFinder]
        found = (finder.find_spec(name, path, target) for finder in others)
        spec = next((spec for spec in found if spec is not None), None)
        if spec is not None:
            load = spec.loader.exec_module
            spec.loader.exec_module = lambda module: _load_in_silence(load, module)
        return spec


def _load_in_silence(load, module):
    with contextlib.ExitStack() as stack:
        held = stack.enter_context(tempfile.TemporaryFile())
        try:
            screen = os.dup(2)
        except OSError:  # there is no error output
            return load(module)
        os.dup2(held.fileno(), 2)
        try:
            load(module)
        finally:
            os.dup2(screen, 2)
            os.close(screen)
            held.seek(0)
            os.write(2, b"".join(line for line in held if not _NOTE.match(line)))


def _is_no_note(record):
    from_tensorflow = "tensorflow" in pathlib.Path(record.pathname).parts
    return record.levelno >= logging.ERROR or not from_tensorflow


if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") == "3":
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    absl_logging.get_absl_logger().addFilter(_is_no_note)
    sys.meta_path.insert(0, _QuietFinder)
