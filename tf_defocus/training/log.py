"""What a run writes down while it goes on: one line of JSON per logged step."""

import json


class JsonLinesLogger:
    """Writes the scalars of a run to `metrics.jsonl` in its folder.

    Args:
        folder: pathlib.Path of the run.
    """

    def __init__(self, folder):
        self.lines = open(folder / "metrics.jsonl", "a", buffering=1)  # noqa: SIM115

    def scalars(self, step, values):
        """Logs a dict of floats."""
        self.lines.write(json.dumps({"step": step, **values}) + "\n")

    def images(self, step, pictures):
        """Pictures are left to TensorBoard."""
