"""Long builds: an example is kept as soon as it is made, and is not made again.

TFDS starts an interrupted build from the beginning. What takes long here is not the
writing but the making of examples, so these lie, one file each, in a folder beside the
data set until it is finished. A second build reads those that are there. It does not
matter which process made them, one of this machine or of an Apache Beam runner, as long
as all see the folder; nor in which order.
"""

import contextlib
import hashlib
import os
import threading

import numpy as np
import tqdm
from absl import logging
from etils import epath

from tf_defocus.array_files import npz

_OLDER_WORDS = {"combined": "blurred"}  # of examples that version 1 kept
_POLL_SECONDS = 2.0


def open_folder(base, split, make, files=()):
    """The folder of one split's examples, for exactly these arguments.

    Examples that were made from other arguments are removed.

    Args:
        base: path of the data set's unfinished examples.
        split: str.
        make: functools.partial of the function that makes an example; its keywords,
            by their `repr`, decide which examples may be reused.
        files: paths that `make` reads; their names and sizes count as well.

    Returns:
        epath.Path, made.
    """
    base = epath.Path(base)
    read = [(os.fspath(path), epath.Path(path).stat().length) for path in files]
    function = f"{make.func.__module__}.{make.func.__qualname__}"
    text = repr((function, sorted(make.keywords.items()), read))
    folder = base / f"{split}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    for other in base.glob(f"{split}-*"):
        if other != folder:
            logging.warning("%s is of other arguments and is removed", other)
            other.rmtree()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def make_or_read(index, make, folder, split):
    """One example, made only if no earlier build has kept it.

    Args:
        index: int, position in the split.
        make: function of `index`, returns a dict of arrays, numbers and dicts of those.
        folder: from `open_folder`.
        split: str.

    Returns:
        (key, example): the key is `<split>_<index>`, six digits; the example is what
        `make` returns, with the key as its `scene_id`.
    """
    key = f"{split}_{index:06d}"
    path = epath.Path(folder) / f"{key}.npz"
    example = _read(path)
    if example is None:
        example = make(index=index)
        _write(path, example)
    return key, {**example, "scene_id": key}


def count_kept(base):
    """Number of examples that lie below the folder of a data set."""
    return sum(1 for _ in epath.Path(base).glob("*/*.npz"))


@contextlib.contextmanager
def shown_progress(base, total, description):
    """A bar of the examples there are, whoever makes them, while the block runs."""
    done = count_kept(base)
    if done:
        logging.info("%d of %d examples are there already", done, total)
    stop = threading.Event()
    with tqdm.tqdm(desc=description, total=total, initial=done, unit="example") as bar:

        def update():
            bar.update(count_kept(base) - bar.n)

        def watch():
            while not stop.wait(_POLL_SECONDS):
                update()

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            update()


def _write(path, example):
    """Beside its place and renamed: whatever happens, no file is half of one."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    with partial.open("wb") as file:
        np.savez(file, **_flatten(example))
    partial.replace(path)


def _flatten(example):
    flat = {}
    for name, value in example.items():
        if isinstance(value, dict):
            flat |= {f"{name}/{inner}": number for inner, number in value.items()}
        else:
            flat[name] = value
    return flat


def _read(path):
    """The example of a file; None where there is none, or a damaged one."""
    if not path.exists():
        return None
    try:
        return _read_arrays(path)
    except npz.BROKEN_FILE_ERRORS as error:
        logging.warning("%s is damaged (%s) and is made again", path, error)
        return None


def _read_arrays(path):
    example = {}
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        for name in arrays.files:
            outer, _, inner = name.partition("/")
            if inner:
                example.setdefault(outer, {})[inner] = arrays[name][()]
            else:
                example[_OLDER_WORDS.get(name, name)] = arrays[name]
    return example
