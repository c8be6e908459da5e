"""What a folder holds: photographs, what cannot be searched, and what is left out."""

import collections
import dataclasses
import os
import pathlib

from tf_defocus.images.kinds import may_be_photograph

LINKED = "is a link to a folder; give that folder itself"


@dataclasses.dataclass
class Found:
    """What a search has found.

    Attributes:
        photographs: list of paths in the order of their names, folder by folder; among
            them those of formats that are not read.
        problems: list of (path, reason) of folders that could not be searched.
        left_out: Counter of what is no photograph, by its name in the plural.
    """

    photographs: list = dataclasses.field(default_factory=list)
    problems: list = dataclasses.field(default_factory=list)
    left_out: collections.Counter = dataclasses.field(
        default_factory=collections.Counter
    )


def search(folder, recursive, excluded=None):
    """The photographs in a folder; hidden files and the folder `excluded` do not count.

    Args:
        folder: path.
        recursive: bool, whether folders in the folder are searched.
        excluded: path of a folder, such as the output's, or None.

    Returns:
        A `Found`.
    """
    found, waiting = Found(), [pathlib.Path(folder)]
    while waiting:
        waiting += reversed(_search(waiting.pop(), recursive, excluded, found))
    return found


def _search(folder, recursive, excluded, found):
    """Adds what one folder holds to `found`; returns the folders to search next."""
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        found.problems.append((folder, f"cannot be searched ({error.strerror})"))
        return []
    folders = []
    for path in (folder / name for name in names if not name.startswith(".")):
        if os.path.isdir(path):
            if not (excluded and os.path.realpath(path) == os.path.realpath(excluded)):
                folders.append(path)
        elif may_be_photograph(path):
            found.photographs.append(path)
        else:
            found.left_out["other files"] += 1
    if not recursive:
        found.left_out["folders (add -r)"] += len(folders)
        return []
    linked = [path for path in folders if path.is_symlink()]
    found.problems += [(path, LINKED) for path in linked]
    return [path for path in folders if path not in linked]
