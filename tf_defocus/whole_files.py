"""Files that appear whole or not at all: written beside the target, then renamed.

The temporary name is short, so that a target may have the longest name that the file
system allows, and holds the process' number, so that what a killed process left behind
is found and removed.
"""

import contextlib
import fcntl
import os
import pathlib
import re
import secrets
from collections.abc import Iterator
from typing import BinaryIO

_PARTIAL = re.compile(r"\.(\d+)\.[0-9a-f]{8}\.partial")


@contextlib.contextmanager
def open_whole(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """A binary file that gets its name when the block ends without an error.

    Its bytes are on the disk before it is renamed. If the block fails, nothing is left
    behind and an older file of that name stays.

    Args:
        path: str or path; its folder exists.

    Yields:
        A file opened for writing bytes.

    Raises:
        OSError: if the folder cannot be written or the disk is full.
    """
    path = pathlib.Path(path)
    partial = path.with_name(f".{os.getpid()}.{secrets.token_hex(4)}.partial")
    try:
        with open(partial, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes a text file in UTF-8, whole or not at all; see `open_whole`."""
    with open_whole(path) as file:
        file.write(text.encode("utf-8"))


@contextlib.contextmanager
def lock_folder(folder: str | os.PathLike) -> Iterator[None]:
    """Keeps other processes out of a folder while the block runs.

    The lock is the operating system's, on a file `.lock`: it ends with the process,
    however that ends.

    Args:
        folder: str or path, there already.

    Raises:
        ValueError: if another process holds it.
    """
    with open(pathlib.Path(folder) / ".lock", "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(
                f"{folder} is in use by another process; wait for it, or name another "
                "folder"
            ) from None
        yield


def remove_abandoned(folder: str | os.PathLike) -> int:
    """Removes temporary files that processes which no longer run left in a folder.

    Args:
        folder: str or path; subfolders are not looked at.

    Returns:
        Number of files that were removed.
    """
    count = 0
    for path in pathlib.Path(folder).iterdir():
        match = _PARTIAL.fullmatch(path.name)
        if match and not _is_running(int(match.group(1))):
            with contextlib.suppress(OSError):
                path.unlink()
                count += 1
    return count


def _is_running(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it runs, under another user
    return True
