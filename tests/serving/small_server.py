"""A small network's preset, and a server with it, for the tests of this folder."""

import contextlib

import numpy as np

import tf_defocus
from tf_defocus.models import create_model
from tf_defocus.serving.process import ServerProcess

MODEL = "small"
MAX_MEBIBYTES = 1
MAX_PIXELS = 20_000


def save_small_preset(folder):
    """A network with random weights; the folder's name becomes the model's."""
    overrides = {"base_filters": 3}
    model = create_model("kpac_2level", **overrides)
    tf_defocus.save_preset(model, folder / MODEL, "kpac_2level", overrides)
    return folder / MODEL


@contextlib.contextmanager
def small_server(preset, *arguments):
    limits = (
        f"--max_mebibytes={MAX_MEBIBYTES}",
        f"--max_megapixels={MAX_PIXELS / 1e6}",
    )
    with ServerProcess(["--preset", preset, *limits, *arguments]) as server:
        yield server


def photograph(rng, height=20, width=31):
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
