"""Why a file is refused, and one rule for what decoding libraries raise.

A reader of this room raises nothing but `Refused`: it checks what a header says before
it acts on it. Libraries document no list of what they raise over damaged data, so each
call of one, and nothing else, stands in a `decoder` block.
"""

import contextlib
import warnings


def shown(path):
    """A path as messages show it: in one line, control characters as escapes."""
    return "".join(
        mark if mark.isprintable() else mark.encode("unicode_escape").decode()
        for mark in str(path)
    )


class ImageFileError(ValueError):
    """A file cannot be read or written: one line with the file and the remedy."""


class Refused(ValueError):
    """A file is not read: why, and after a semicolon what to do."""


class Damaged(Refused):
    """The bytes of a file contradict its format."""

    def __init__(self, reason):
        super().__init__(f"{reason}; get the file again from its source")


@contextlib.contextmanager
def decoder(name):
    """Turns whatever a library raises over data of the format `name` into `Damaged`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (MemoryError, Refused):
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise Damaged(f"the {name} data cannot be decoded ({reason})") from error
