"""What a photographer asks of a restoration besides the photograph, in files.

A mask is read from one, a defocus map is written to two: 16-bit grey for programs, and
a picture in colours for people.
"""

import dataclasses
import os
import pathlib

import cv2
import numpy as np

from tf_defocus.images import levels
from tf_defocus.images.files import Image, read_image, write_image
from tf_defocus.images.refusals import ImageFileError, shown
from tf_defocus.restoration.scale_blending import strips

STEPS_PER_PIXEL = 256  # a value of the grey map is so many times the diameter in px
WIDEST = 128.0  # [px], red in the picture; in focus (1 px) is dark blue
_SCALE_TEXT = (
    b"Comment\0Diameter of the blur in pixels: value / 256. "
    b"1 is in focus or not known to be blurred; 128 is 128 or more."
)


@dataclasses.dataclass(frozen=True)
class PhotoControl:
    """What is asked of every photograph of a command.

    Attributes:
        strength: float in [0, 1], see `Restorer.restore`.
        mask: path of a picture, white where to restore and black where not, or None.
        defocus_map: path of a `.png` file for one photograph or of a folder for
            several, or None.
        output: path of the outputs' folder: in a folder of maps they lie alike.
    """

    strength: float = 1.0
    mask: pathlib.Path | None = None
    defocus_map: pathlib.Path | None = None
    output: pathlib.Path | None = None

    def keywords(self, pixels, name):
        """The keywords of `Restorer.restore` for one photograph.

        Args:
            pixels: (height, width, 3), the photograph.
            name: str, of the photograph, for messages.

        Raises:
            ImageFileError: if the mask cannot be read or has another size.
        """
        asked = {}
        if self.strength != 1:
            asked["strength"] = self.strength
        if self.mask:
            asked["mask"] = read_mask(self.mask, pixels.shape[:2], name)
        if self.defocus_map:
            asked["return_defocus"] = True
        return asked

    def map_path(self, output):
        """Where the grey map of the photograph written to `output` goes."""
        target = self.defocus_map
        if target.suffix.lower() == ".png" and not os.path.isdir(target):
            return target
        inside = self.output and output.parent.is_relative_to(self.output)
        folder = output.parent.relative_to(self.output) if inside else ""
        return target / folder / f"{output.name}_defocus.png"


def read_mask(path, size, name):
    """A mask for a photograph: (height, width) float32, 0 (black) to 1 (white).

    Args:
        path: of a picture; colours are averaged.
        size: (height, width) of the photograph.
        name: str, of the photograph, for messages.

    Raises:
        ImageFileError: if it cannot be read or has another size.
    """
    pixels = read_image(path).pixels
    if pixels.shape[:2] != tuple(size):
        height, width = pixels.shape[:2]
        raise ImageFileError(
            f"{shown(path)}: the mask is {width}x{height}, {name} is "
            f"{size[1]}x{size[0]}; give a mask as large as the photograph"
        )
    return np.clip(levels.to_float(pixels).mean(axis=-1), 0, 1)


def write_map(path, defocus):
    """Writes a defocus map, and beside it the same in colours, NAME_colours.png.

    Args:
        path: of the grey map, `.png`.
        defocus: (height, width) float32 [px].

    Raises:
        ImageFileError: if it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImageFileError(
            f"{shown(path.parent)}: cannot be made ({error.strerror}); choose another "
            "--defocus-map"
        ) from error
    values, colours = np.empty(defocus.shape, np.uint16), []
    for rows in strips(len(defocus)):  # all of the map at once needs several times more
        steps = np.clip(STEPS_PER_PIXEL * defocus[rows], 0, 65535)
        values[rows] = np.rint(steps)
        colours.append(colour_map(defocus[rows]))
    pixels = np.broadcast_to(values[..., None], (*values.shape, 3))
    extras = ((b"tEXt", _SCALE_TEXT),)
    write_image(path, Image(pixels, is_gray=True, extras=extras))
    picture = path.with_name(f"{path.stem}_colours.png")
    write_image(picture, Image(np.concatenate(colours)))


def colour_map(defocus):
    """Blue in focus, over green and yellow, to red at 128 px, by the octave.

    Args:
        defocus: (height, width) float32 [px].

    Returns:
        (height, width, 3) uint8.
    """
    share = np.log2(np.clip(defocus, 1, WIDEST)) / np.log2(WIDEST)
    steps = np.rint(255 * share).astype(np.uint8)
    return np.ascontiguousarray(cv2.applyColorMap(steps, cv2.COLORMAP_TURBO)[..., ::-1])
