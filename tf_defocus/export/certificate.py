"""What is known about an exported file: does it compute what the `Restorer` does?

A certificate holds versions and hashes, the differences from the `Restorer` at five
sizes and in batches of one and three, what reduced precision costs on rendered scenes,
and the time and memory of one image here.
"""

import hashlib
import json
import math
import pathlib
import subprocess
import sys
from typing import Any

import numpy as np

from tf_defocus.evaluation.cost import describe_machine
from tf_defocus.export import runners
from tf_defocus.export.examples import rendered_views
from tf_defocus.metrics import psnr
from tf_defocus.restoration.restorer import Restorer

FLOAT32_TOLERANCE = 1e-5  # largest difference, images in [0, 1]
# Least PSNR [dB] between the file's images and the Restorer's where values are rounded.
LEAST_PSNR = {"float16": 50.0, "bfloat16": 35.0, "int8": 25.0}
QUALITY_COUNT, QUALITY_SIZE = 4, 128  # rendered scenes, px
TIMED_SIZE = (256, 384)  # px
BATCH = 3


def certify(
    path: pathlib.Path,
    restorer: Restorer,
    precision: str = "float32",
    signature: str = "float32",
    max_pixels: int = 2**18,
) -> dict[str, Any]:
    """Compares an exported file with the `Restorer` and measures it.

    Args:
        path: of the file or folder, see `runners.open_exported`.
        restorer: of the network in float32, with `tile=0`.
        precision: "float32", "float16", "bfloat16" or "int8".
        signature: "float32" or "uint8", dtype of its images.
        max_pixels: int, of the largest image that is compared; at least
            `least_pixels`.

    Returns:
        dict, of JSON values.

    Raises:
        ArithmeticError: if an image differs by more than the precision allows: the
            size, the place in the batch and the pixel.
    """
    run = runners.open_exported(path, precision)
    ((picture, _),) = rendered_views(restorer.view_names, 1, QUALITY_SIZE)
    case = _Case(run, restorer, precision, signature, picture)
    sizes = _sizes(restorer.model.size_multiple, max_pixels)
    parity = [case.compare(size, 1) for size in sizes]
    parity += [case.compare(size, BATCH) for size in sizes[:-1]]
    names = restorer.view_names
    side = min(QUALITY_SIZE, math.isqrt(max_pixels))
    timed = TIMED_SIZE if math.prod(TIMED_SIZE) <= max_pixels else sizes[-1]
    return {
        "files": _hashes(path),
        "parity": {"asked": case.asked(), "found": parity},
        "quality": _quality(run, restorer, signature, side),
        "cost": _cost(path, precision, signature, timed, names),
        "machine": describe_machine(),
    }


def least_pixels(multiple: tuple[int, int]) -> int:
    """Pixels of the largest batch that any certificate compares.

    Args:
        multiple: (rows, columns) that the network divides by.
    """
    return BATCH * max(math.prod(size) for size in _sizes(multiple, 0)[:-1])


def _sizes(multiple, max_pixels):
    """A prime, one below a multiple, portrait, one pixel, the largest."""
    below = (step * math.ceil(48 / step) - 1 for step in multiple)
    width = max(1, int(math.sqrt(max_pixels * 1.5)))
    return [(61, 53), tuple(below), (72, 40), (1, 1), (max_pixels // width, width)]


class _Case:
    """One file beside the `Restorer`."""

    def __init__(self, run, restorer, precision, signature, picture):
        self.run, self.restorer = run, restorer
        self.precision, self.signature = precision, signature
        self.picture = picture  # dict, view -> (height, width, 3) float32

    def asked(self):
        """The bound that differences are held to, in words."""
        if self.precision in LEAST_PSNR:
            return f"PSNR to the Restorer >= {LEAST_PSNR[self.precision]} dB"
        if self.signature == "uint8":
            return "difference <= 1 level of 255"
        return f"difference <= {FLOAT32_TOLERANCE}"

    def compare(self, size, batch):
        """The differences at one size."""
        views = self._views(size, batch)
        restored = self.run(views)
        expected = np.stack(
            [
                self.restorer.restore(**{k: v[i] for k, v in views.items()})
                for i in range(batch)
            ]
        )
        place = f"{size[0]}x{size[1]} px, batch {batch}"
        if restored.shape != expected.shape or restored.dtype != expected.dtype:
            raise ArithmeticError(
                f"At {place} the file returned {restored.dtype} {restored.shape}, "
                f"expected {expected.dtype} {expected.shape}; nothing was written"
            )
        full = 255 if self.signature == "uint8" else 1
        difference = np.abs(restored.astype("float64") - expected) / full
        likeness = psnr(restored / full, expected / full)
        self._check(difference, likeness, place)
        return {
            "size": list(size),
            "batch": batch,
            "max_difference": float(difference.max()),
            "psnr_to_restorer": min(likeness, 200.0),  # JSON has no infinity
        }

    def _check(self, difference, likeness, place):
        if self.precision in LEAST_PSNR:
            good = likeness >= LEAST_PSNR[self.precision]
        else:
            levels = self.signature == "uint8"
            good = difference.max() <= (1.001 / 255 if levels else FLOAT32_TOLERANCE)
        if not good:
            worst = np.unravel_index(np.nanargmax(difference), difference.shape)
            raise ArithmeticError(
                f"The file differs from the Restorer at {place} by "
                f"{difference.max():.1e} (image, row, column, channel: "
                f"{tuple(map(int, worst))}; PSNR "
                f"{likeness:.1f} dB); asked: {self.asked()}; nothing was written"
            )

    def _views(self, size, batch):
        """Rendered pictures of that size with noise, each image its own."""
        rng = np.random.default_rng(batch)
        missing = [(0, max(0, n - QUALITY_SIZE)) for n in size]
        views = {}
        for name, picture in self.picture.items():
            whole = np.pad(picture, (*missing, (0, 0)), "symmetric")
            noise = rng.uniform(-0.1, 0.1, (batch, *size, 3))
            noisy = np.clip(whole[: size[0], : size[1]] + noise, 0, 1)
            views[name] = _as_signature(noisy.astype("float32"), self.signature)
        return views


def _as_signature(images, signature):
    if signature == "uint8":
        return np.rint(255 * images).astype("uint8")
    return images


def _quality(run, restorer, signature, side):
    """PSNR [dB] on rendered scenes, of the `Restorer` and of the file."""
    full = 255 if signature == "uint8" else 1
    scores = {"restorer": [], "file": []}
    for views, sharp in rendered_views(restorer.view_names, QUALITY_COUNT, side):
        views = {name: _as_signature(view, signature) for name, view in views.items()}
        scores["restorer"].append(psnr(restorer.restore(**views) / full, sharp))
        batch = {name: view[None] for name, view in views.items()}
        scores["file"].append(psnr(run(batch)[0] / full, sharp))
    means = {f"psnr_{name}": float(np.mean(each)) for name, each in scores.items()}
    return {
        "examples": f"{QUALITY_COUNT} of synthetic_dp validation, {side} px",
        **means,
        "psnr_cost": means["psnr_restorer"] - means["psnr_file"],
    }


def _cost(path, precision, signature, size, names):
    """Seconds and memory of one image, in a process that has this file alone."""
    words = [path, precision, signature, *size, *names]
    command = [sys.executable, runners.__file__, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise ArithmeticError(f"The file cannot be opened alone: {last}")
    return {"size": list(size), **json.loads(done.stdout.splitlines()[-1])}


def _hashes(path):
    """dict, name -> sha256, of the file and of the weights that lie beside it."""
    files = (
        sorted(path.rglob("*")) if path.is_dir() else [path, path.with_suffix(".bin")]
    )
    return {
        str(file.relative_to(path if path.is_dir() else path.parent)): hashlib.sha256(
            file.read_bytes()
        ).hexdigest()
        for file in files
        if file.is_file()
    }
