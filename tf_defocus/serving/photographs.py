"""The photographs of a request: which views, which pixels, and how they go back."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from tf_defocus.images.contents import read_content, write_content
from tf_defocus.images.files import Image, convert_for
from tf_defocus.images.refusals import Refused
from tf_defocus.restoration.colour_managed import prepare
from tf_defocus.restoration.inputs import as_views
from tf_defocus.serving.refusals import TOO_LARGE, Refusal
from tf_defocus.serving.tensors import BYTES, Tensor, of_array

RESTORED = "deblurred"
RESTORED_FILES = "encoded_bytes"  # as the SavedModel's signature calls them
ANSWERED_AS = "restored.png"  # which says what the format can hold


@dataclasses.dataclass(frozen=True)
class Photograph:
    """One photograph of a request.

    Attributes:
        views: dict, name -> (height, width, 3) uint8, uint16 or float32 in [0, 1].
        finish: where it came in files, the way from the restored pixels to an `Image`
            with all that the first view held; else None.
    """

    views: dict[str, np.ndarray]
    finish: Callable[[np.ndarray], Image] | None = None


def read_photographs(
    tensors: Sequence[Tensor], view_names: Sequence[str], max_pixels: int
) -> list[Photograph]:
    """The photographs that the inputs of a request hold.

    Args:
        tensors: one per view: (batch, height, width, 3) numbers, or BYTES (batch,), the
            files of one photograph each.
        view_names: the views that the network wants.
        max_pixels: int, the most pixels of one view of all photographs together.

    Returns:
        List of `Photograph`, not empty.

    Raises:
        Refusal: if the views are not those, not alike, no photographs, or too large.
    """
    views = {tensor.name: tensor for tensor in tensors}
    if len(views) != len(tensors) or set(views) != set(view_names):
        received = ", ".join(sorted(f"{name:.20}" for name in views)) or "none"
        raise Refusal(
            f"expected the inputs {', '.join(view_names)}, once each; received "
            f"{received}"
        )
    views = {name: views[name] for name in view_names}
    if len({(view.datatype, tuple(view.shape)) for view in views.values()}) > 1:
        listed = (f"{k} {v.datatype} {v.shape}" for k, v in views.items())
        raise Refusal(f"views must be alike; received {', '.join(listed)}")
    first = next(iter(views.values()))
    if 0 in first.shape[:1]:
        raise Refusal("expected one photograph or more; received an empty batch")
    if first.datatype == BYTES:
        return _from_files(views, max_pixels)
    return _from_arrays(views, first.shape, max_pixels)


def answer(photographs: Sequence[Photograph], restored: Sequence[np.ndarray]) -> Tensor:
    """The output of a request.

    Args:
        photographs: as `read_photographs` gave them.
        restored: (height, width, 3) each.

    Returns:
        `deblurred`, (batch, height, width, 3) of the request's dtype; for files
        `encoded_bytes`, PNG files with what the first view held besides its pixels.
    """
    if photographs[0].finish is None:
        return of_array(RESTORED, np.stack(restored))
    images = [photo.finish(pixels) for photo, pixels in zip(photographs, restored)]
    files = [write_content(convert_for(i, ANSWERED_AS), "png") for i in images]
    return Tensor(RESTORED_FILES, BYTES, files)


def _from_arrays(views, shape, max_pixels):
    if len(shape) != 4 or shape[3] != 3 or 0 in shape:
        raise Refusal(f"expected shape (batch, height, width, 3); received {shape}")
    _check_pixels(shape[0] * shape[1] * shape[2], max_pixels)
    return [
        Photograph(_checked({name: view.values[i] for name, view in views.items()}))
        for i in range(shape[0])
    ]


def _from_files(views, max_pixels):
    """Decodes file by file; a view may have as many pixels as the others left."""
    left = dict.fromkeys(views, max_pixels)
    photographs = []
    for index in range(len(next(iter(views.values())).values)):
        images = {}
        for name, view in views.items():
            image = _read_file(name, view.values[index], left[name])
            left[name] -= image.pixels.shape[0] * image.pixels.shape[1]
            images[name] = image
        _checked({name: image.pixels for name, image in images.items()})
        photographs.append(Photograph(*prepare(images)))
    return photographs


def _read_file(name, data, max_pixels):
    def check_size(width, height):
        _check_pixels(width * height, max_pixels, f"{name}: the header states ")

    try:
        return read_content(data, check_size)
    except Refused as error:
        raise Refusal(f"{name}: {error}") from error


def _check_pixels(pixels, max_pixels, said=""):
    if pixels > max_pixels:
        raise Refusal(
            f"{said}{pixels} pixels in all; this server takes {max_pixels} per request",
            TOO_LARGE,
        )


def _checked(views):
    try:
        return as_views(views, tuple(views))
    except ValueError as error:
        raise Refusal(str(error)) from error
