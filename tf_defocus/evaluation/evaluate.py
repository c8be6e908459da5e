"""Scores of restorers on a set of pairs: per image, averaged, beside the input.

Every score in a table or a model card comes from here, with the protocol's name beside
it. What a protocol does to the files before the network runs (bit depth, crop, padding,
resizing) is done here; the arithmetic of the scores is `protocols.score`.
"""

import dataclasses
import os
import platform
from collections.abc import Iterable, Mapping
from typing import Any

import cv2
import keras
import numpy as np
import tqdm

import tf_defocus
from tf_defocus.evaluation.examples import Example, add_noise
from tf_defocus.evaluation.pictures import write_comparison, write_single
from tf_defocus.evaluation.protocols import get_protocol, score
from tf_defocus.evaluation.scores import INPUT, Scores
from tf_defocus.images import levels


def evaluate(
    restorers: Mapping[str, Any],
    examples: Iterable,
    protocol: str = "ifan",
    dataset: str = "pairs",
    picture_folder: str | os.PathLike | None = None,
    lpips: keras.Model | None = None,
    noise_sigma: float = 0.0,
    single_pictures: bool = False,
) -> Scores:
    """Runs restorers over pairs and scores them under a protocol.

    Networks receive float32 and are scored unrounded, unless the protocol rounds. The
    input is scored as every method is: its row is the centre view, or the left one
    where a set has no centre view.

    Args:
        restorers: dict, name of the row -> object with `view_names` and
            `restore(**views)`, such as `Restorer`.
        examples: iterable of `Example` or (name, views, sharp).
        protocol: str, a key of `PROTOCOLS`.
        dataset: str, the set's name in the report.
        picture_folder: existing folder for side-by-side pictures, or None.
        lpips: model of `lpips.load_lpips`, or None to leave that score out. It sees
            images in the protocol's `lpips_range`.
        noise_sigma: float [of 255], of white noise that is added to the views; see
            `examples.add_noise`.
        single_pictures: bool, whether `picture_folder` also gets every picture by
            itself, `<name>/<method>.png`.

    Returns:
        `Scores`.

    Raises:
        ValueError: if there is no example, two examples or methods share a name, the
            images of an example differ in size or dtype, or a restorer wants a view
            that is not there.
    """
    protocol = get_protocol(protocol)
    if noise_sigma:
        examples = add_noise(examples, noise_sigma)
    images, names = [], set()
    for item in tqdm.tqdm(examples, desc=f"evaluate {dataset}", unit="image"):
        example = Example(*item)
        if example.name in names:
            raise ValueError(f"Two examples have the name {example.name!r}")
        names.add(example.name)
        record, pictures = _evaluate_example(restorers, example, protocol, lpips)
        images.append(record)
        if picture_folder is not None:
            write_comparison(picture_folder, record, pictures)
            if single_pictures:
                write_single(picture_folder, record, pictures)
    if not images:
        raise ValueError("There is no example to evaluate")
    setting = {
        "dataset": dataset,
        "protocol": dataclasses.asdict(protocol),
        "lpips": None if lpips is None else lpips.name,
        "noise_sigma": noise_sigma,
        "libraries": {
            "tf_defocus": tf_defocus.__version__,
            "python": platform.python_version(),
            "keras": keras.__version__,
            "backend": keras.backend.backend(),
            "numpy": np.__version__,
            "opencv": cv2.__version__,
        },
    }
    return Scores(setting, images)


def _evaluate_example(restorers, example, protocol, lpips):
    """Record of one example, and the pictures that were scored, sharp last."""
    _check_example(example, restorers)
    views = {name: prepare(view, protocol) for name, view in example.views.items()}
    sharp = prepare(example.sharp, protocol)
    pictures = {INPUT: views.get("blurred", next(iter(views.values())))}
    for method, restorer in restorers.items():
        pictures[method] = _restore(restorer, views, protocol)
    for method, picture in example.others.items():
        pictures[method] = prepare(picture, protocol)
    scores = {}
    for method, picture in pictures.items():
        scores[method] = score(picture, sharp, protocol.name)
        if lpips is not None and protocol.lpips_range is not None:
            scores[method]["lpips"] = _lpips_score(lpips, picture, sharp, protocol)
    record = {
        "name": example.name,
        "file_size": list(example.sharp.shape[:2]),
        "scored_size": list(sharp.shape[:2]),
        "file_dtype": example.sharp.dtype.name,
        "mean_coc": None if example.coc is None else float(np.abs(example.coc).mean()),
        "scores": scores,
    }
    return record, {**pictures, "sharp": sharp}


def _lpips_score(lpips, picture, sharp, protocol):
    low, high = protocol.lpips_range
    pair = [low + (high - low) * image[None] for image in (picture, sharp)]
    return float(keras.ops.convert_to_numpy(lpips(pair))[0])


def _check_example(example, restorers):
    sharp = example.sharp
    methods = [INPUT, "sharp", *restorers, *example.others]
    if len(set(methods)) < len(methods):
        raise ValueError(f"Every method needs its own name. Received: {methods}")
    for name, view in {**example.views, **example.others}.items():
        published = name in example.others  # often 8-bit pictures of a 16-bit set
        if view.shape != sharp.shape or (view.dtype != sharp.dtype and not published):
            raise ValueError(
                f"Example {example.name!r}: expected {name} like the sharp image, "
                f"{sharp.shape} {sharp.dtype}. Received: {view.shape} {view.dtype}"
            )
    for method, restorer in restorers.items():
        missing = [view for view in restorer.view_names if view not in example.views]
        if missing:
            raise ValueError(
                f"Example {example.name!r} has the views {list(example.views)}, but "
                f"{method} wants {list(restorer.view_names)}"
            )


def _restore(restorer, views, protocol):
    """The restorer's float32 output, at another size where the protocol works there."""
    views = {name: views[name] for name in restorer.view_names}
    size = next(iter(views.values())).shape[:2]
    if size != protocol.resized_size:
        return restorer.restore(**views)
    enlarged = {
        name: _resize(view, protocol.working_size) for name, view in views.items()
    }
    return _resize(restorer.restore(**enlarged), size)


def _resize(image, size):
    """Bicubic (a = -0.75), clipped to [0, 1]."""
    resized = cv2.resize(image, size[::-1], interpolation=cv2.INTER_CUBIC)
    return np.clip(resized, 0, 1)


def prepare(image, protocol):
    """An image file's pixels as the protocol's network and scores see them.

    Args:
        image: (height, width, 3) uint8, uint16 or float32 in [0, 1].
        protocol: `Protocol`, which gives bit depth and frame.

    Returns:
        (height, width, 3) float32 in [0, 1], cropped or padded with black as the
        protocol frames images.
    """
    if image.dtype == np.uint16 and protocol.bit_depth == 8:
        image = (image >> 8).astype("uint8")
    image = levels.to_float(image)
    multiple = protocol.frame_multiple
    height, width = image.shape[:2]
    if protocol.frame == "crop":
        return image[: height - height % multiple, : width - width % multiple]
    if protocol.frame == "zero_pad":
        pads = [(-height % multiple), (-width % multiple), 0]
        return np.pad(image, [(pad // 2, pad - pad // 2) for pad in pads])
    return image
