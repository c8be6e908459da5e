"""Why a worker ended, in the folder of the run, for workers that start later.

Nobody listens any more when they start. Each of them has a note of its own, which it
takes away when it has read it, so that the next start of all workers finds none.
"""

import contextlib
import json
import os
import pathlib
import time

from tf_defocus import whole_files
from tf_defocus.training.workers import Worker

VALID_SECONDS = 600.0  # later starts are other attempts


def leave(
    folder: str | os.PathLike, worker: Worker, others: list[int], reason: str
) -> None:
    """Leaves a note for each of these workers, if the folder can be written.

    Args:
        folder: of the run, made if it is missing.
        worker: `Worker` that ended.
        others: list of int, their places among the workers.
        reason: str, one line.
    """
    text = json.dumps({"hosts": worker.hosts, "error": reason})
    with contextlib.suppress(OSError):
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        for other in others:
            whole_files.write_text(_place(folder, worker.index, other), text)


def remove(folder: str | os.PathLike, writer: int, reader: int) -> None:
    """Removes one worker's note for another, if it is there."""
    with contextlib.suppress(OSError):
        _place(folder, writer, reader).unlink()


def find(folder: str | os.PathLike, worker: Worker) -> dict[int, str]:
    """Notes for a worker, of workers of the same addresses.

    Args:
        folder: of the run.
        worker: `Worker` that reads.

    Returns:
        dict, place of the worker that ended -> reason.
    """
    found = {}
    for writer in range(len(worker.hosts)):
        path = _place(folder, writer, worker.index)
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            note = json.loads(path.read_text("utf-8"))
            recent = time.time() - path.stat().st_mtime < VALID_SECONDS
            if recent and note["hosts"] == [*worker.hosts]:
                found[writer] = str(note["error"])
    return found


def _place(folder, writer, reader):
    return pathlib.Path(folder) / f".worker_{writer}_ended_note_for_{reader}.json"
