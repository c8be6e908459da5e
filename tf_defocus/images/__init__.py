"""Photographs in files: read and written whole, with all that they hold."""

from tf_defocus.images.files import (
    Image,
    convert_for,
    read_image,
    write_image,
)
from tf_defocus.images.refusals import ImageFileError

__all__ = ["Image", "ImageFileError", "convert_for", "read_image", "write_image"]
