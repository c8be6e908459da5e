"""Batches that processes make, each a whole one, handed over in shared memory.

Process i of N makes the batches of the steps s with s % N = i, ahead of their use. What
is in a batch depends on seed and step alone, so their number changes nothing. The
memory has no name: whatever ends the processes, nothing of it stays.
"""

import contextlib
import itertools
import json
import math
import mmap
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tf_defocus.configs import Recipe
from tf_defocus.data import augmentations
from tf_defocus.data.arrays import StoredArrays
from tf_defocus.data.batches import make_batch, scheduled_crop

SLOTS = 2  # batches of a process that are made or waiting at a time


def batches_in_processes(
    arrays: StoredArrays,
    recipe: Recipe,
    kinds: Sequence[str],
    rows: Callable[[int], Sequence[int]],
    first_step: int,
    num_processes: int,
) -> Iterator[dict[str, np.ndarray]]:
    """The batches of one step after another.

    Args:
        arrays, recipe, kinds: of `make_batch`.
        rows: function of the batch size to the rows that are wanted.
        first_step: int.
        num_processes: int, at least 1.

    Yields:
        What `make_batch` returns; the arrays are valid until the next one is asked for.

    Raises:
        ChildProcessError: if one of the processes ended.
        ValueError: as `make_batch`.
    """
    names = {*kinds, "sharp"}
    size = max(
        len(rows(count)) * math.prod(augmentations.crop_shape(crop)) * 3 * 4
        for _, crop, count in recipe.crops
    )
    ahead = SLOTS * num_processes

    def order(step):
        wanted = list(rows(scheduled_crop(recipe, step)[1]))
        slot = step // num_processes % SLOTS
        processes[step % num_processes].order(step, wanted, slot)

    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(
                _BatchProcess(index, arrays, recipe, sorted(names), size * len(names))
            )
            for index in range(num_processes)
        ]
        for step in range(first_step, first_step + ahead):
            order(step)
        for step in itertools.count(first_step):
            yield processes[step % num_processes].take()
            order(step + ahead)


class _BatchProcess:
    """One of the processes, seen from the training.

    Args:
        index: int, its number in messages.
        arrays, recipe, kinds: of `make_batch`.
        size: int [bytes], of the largest batch.
    """

    def __init__(self, index, arrays, recipe, kinds, size):
        self.index = index
        self.size = size
        with _nameless_file(SLOTS * size) as file:
            self.memory = mmap.mmap(file.fileno(), SLOTS * size)
            self.process = subprocess.Popen(
                [sys.executable, "-m", __name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=[file.fileno()],
                env=_environment(),
                text=True,
            )
            self._send(
                folder=str(arrays.folder.resolve()),
                recipe=recipe.to_dict(),
                kinds=kinds,
                memory=file.fileno(),
                size=size,
            )

    def order(self, step, rows, slot):
        """Has a batch made and laid into a slot of the memory."""
        self._send(step=step, rows=rows, slot=slot)

    def take(self):
        """The oldest batch that was ordered."""
        line = self.process.stdout.readline()
        if not line:
            raise self._ended()
        reply = json.loads(line)
        if "error" in reply:
            raise ValueError(reply["error"])
        return _views(self.memory, reply["slot"] * self.size, reply["shapes"])

    def _send(self, **message):
        try:
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None

    def _ended(self):
        code = self.process.wait()
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
        return ChildProcessError(
            f"data worker {self.index} ended {how}; the same command goes on from the "
            "last checkpoint"
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()  # which asks it to end
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def _nameless_file(size):
    """A file for shared memory that ends with the last process that has it open."""
    if hasattr(os, "memfd_create"):
        file = open(os.memfd_create("batches"), "r+b")  # noqa: SIM115
    else:
        file = tempfile.TemporaryFile()  # noqa: SIM115
    file.truncate(size)
    return file


def _environment():
    """Ours; the same modules are found, and a process has one thread."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return {**os.environ, **threads, "PYTHONPATH": os.pathsep.join(sys.path)}


def _views(memory, offset, shapes):
    """Arrays, one behind the other in the memory."""
    views = {}
    for name, shape in shapes.items():
        count = math.prod(shape)
        views[name] = np.frombuffer(memory, np.float32, count, offset).reshape(shape)
        offset += 4 * count
    return views


def _serve(requests: Iterator[str], replies: Any) -> None:
    """One of the processes: makes what the lines order until they end."""
    setup = json.loads(next(requests))
    memory = mmap.mmap(setup["memory"], SLOTS * setup["size"])
    try:
        arrays, recipe = StoredArrays(setup["folder"]), Recipe(**setup["recipe"])
        for line in requests:
            order = json.loads(line)
            batch = make_batch(
                arrays, recipe, order["step"], setup["kinds"], order["rows"]
            )
            shapes = {name: values.shape for name, values in batch.items()}
            views = _views(memory, order["slot"] * setup["size"], shapes)
            for name, values in batch.items():
                views[name][...] = values
            reply = {"slot": order["slot"], "shapes": shapes}
            print(json.dumps(reply), file=replies, flush=True)
    except (ValueError, OSError) as error:
        print(json.dumps({"error": str(error)}), file=replies, flush=True)


if __name__ == "__main__":
    # A signal is for the training: it ends after its step, and the lines end with it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(BrokenPipeError):
        _serve(iter(sys.stdin), sys.stdout)
