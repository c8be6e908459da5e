"""What goes wrong over one photograph of many: kept quiet, then said in one line."""

import contextlib
import os

from tf_defocus.images.refusals import ImageFileError

# How backends and libraries say that no memory is left.
NO_MEMORY = ("resourceexhausted", "resource_exhausted", "out of memory", "bad_alloc")
NO_MEMORY += ("failed to allocate", "insufficient memory", "oom when allocating")


@contextlib.contextmanager
def quiet_libraries():
    """Keeps what C libraries print over damaged files off the error output.

    `read_image` says the same in one line that names the file.
    """
    try:
        kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    except OSError:  # the process has no error output
        yield
        return
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def describe_failure(job, error):
    """An exception of `run_job` in one line, with the remedy where there is one."""
    text = " ".join(str(error).split())
    if isinstance(error, ImageFileError):
        return text
    kind = type(error).__name__
    said = f"{kind} {text}".lower()
    if isinstance(error, MemoryError) or any(words in said for words in NO_MEMORY):
        return f"{job.name}: out of memory; try smaller tiles, such as -t 512"
    if isinstance(error, (ValueError, ArithmeticError)):
        return f"{job.name}: {text}"
    return f"{job.name}: {kind}: {text[:300]}"
