"""How large a photograph may be: asked before it is decoded."""

import math
import os

from tf_defocus.images.refusals import ImageFileError, Refused

MAX_MEGAPIXELS = 400.0
MAX_MEGAPIXELS_VARIABLE = "TF_DEFOCUS_MAX_MEGAPIXELS"


def max_megapixels():
    """400, or what the variable TF_DEFOCUS_MAX_MEGAPIXELS says.

    Raises:
        ImageFileError: if the variable holds no positive number.
    """
    text = os.environ.get(MAX_MEGAPIXELS_VARIABLE, "")
    try:
        limit = float(text) if text.strip() else MAX_MEGAPIXELS
    except ValueError:
        limit = math.nan
    if not limit > 0:
        raise ImageFileError(
            f"{MAX_MEGAPIXELS_VARIABLE} is {text!r}; expected a positive number of "
            "megapixels: correct or unset it"
        )
    return limit


def size_check(megapixels):
    """A function of width and height that refuses what has more megapixels."""

    def check_size(width, height):
        if width * height > megapixels * 1e6:
            raise Refused(
                f"it declares {width}x{height} pixels, more than {megapixels:g} "
                f"megapixels; set {MAX_MEGAPIXELS_VARIABLE} if that is meant"
            )

    return check_size
