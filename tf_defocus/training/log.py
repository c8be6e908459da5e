"""What a run writes down while it goes on: one line of JSON per logged step."""

import json

from tf_defocus import whole_files


class JsonLinesLogger:
    """Writes the scalars of a run to `metrics.jsonl` in its folder.

    Args:
        folder: pathlib.Path of the run.
        step: int, steps taken so far; lines of later steps, which a run that was killed
            had written after its last checkpoint, are removed.
    """

    def __init__(self, folder, step=0):
        path = folder / "metrics.jsonl"
        if path.exists():
            kept = [line for line in path.read_text().splitlines() if _is(line, step)]
            whole_files.write_text(path, "".join(f"{line}\n" for line in kept))
        self.lines = open(path, "a", buffering=1)  # noqa: SIM115

    def scalars(self, step, values):
        """Logs a dict of floats."""
        self.lines.write(json.dumps({"step": step, **values}) + "\n")

    def images(self, step, pictures):
        """Pictures are left to TensorBoard."""


class SilentLogger:
    """Of a worker that writes nothing; arguments and methods as above."""

    def __init__(self, folder, step=0):
        del folder, step

    def scalars(self, step, values):
        """Leaves them to the first worker."""

    def images(self, step, pictures):
        """Leaves them to the first worker."""


def _is(line, step):
    """Whether a line is whole and of a step up to this one."""
    try:
        return json.loads(line)["step"] <= step
    except (ValueError, KeyError, TypeError):
        return False
