"""What the page keeps of each of its tabs: files in a folder, gone with the tab.

Nothing here knows of the page's library. A tab's folder holds the photograph as it
came, views, mask, what was restored, and pictures of them that a browser can show.
"""

import contextlib
import os
import pathlib
import re
import secrets
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from tf_defocus import whole_files
from tf_defocus.images.files import Image, convert_for, write_image

_PREFIX = "tf-defocus-app-"
_KINDS = {"uint8": "8 bit", "uint16": "16 bit", "float32": "float"}
EDITOR_SIDE = 1200  # [px], the longer side of the picture that a mask is painted on


@contextlib.contextmanager
def temporary_folder(parent: str | os.PathLike | None) -> Iterator[pathlib.Path]:
    """A folder of this process, removed at the end; also what killed ones have left.

    Args:
        parent: where it is made, or None for the system's place for such.

    Yields:
        Path.

    Raises:
        OSError: if it cannot be made.
    """
    parent = pathlib.Path(parent or tempfile.gettempdir())
    for other in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError, ValueError), whole_files.lock_folder(other):
            shutil.rmtree(other, ignore_errors=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    try:
        with whole_files.lock_folder(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Session:
    """One tab.

    Args:
        folder: path, empty and the tab's own.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.stop = threading.Event()
        self.uploads = {}

    def keep(self, role: str, upload: str | os.PathLike) -> pathlib.Path:
        """Keeps an uploaded file, in place of an earlier one of that role.

        Args:
            role: "photograph", "left" or "right".
            upload: path, which may vanish afterwards.

        Returns:
            Path of the same name in the folder.
        """
        target = self.fresh(role) / pathlib.Path(upload).name
        self.uploads[role] = str(upload)
        try:
            os.link(upload, target)
        except OSError:  # another file system, or one without links
            shutil.copyfile(upload, target)
        return target

    def kept(self, role: str) -> pathlib.Path | None:
        """Path of the file of a role, or None."""
        return next((self.folder / role).glob("*/*"), None)

    def forget(self, *roles: str) -> None:
        """Removes files; without roles all of them."""
        for role in roles or [path.name for path in self.folder.iterdir()]:
            shutil.rmtree(self.folder / role, ignore_errors=True)
            self.uploads.pop(role, None)

    def fresh(self, role: str) -> pathlib.Path:
        """An empty folder for the files of a role, in place of an earlier one.

        Its path is new: what a browser remembers of an earlier file is not shown.
        """
        self.forget(role)
        folder = self.folder / role / secrets.token_hex(4)
        folder.mkdir(parents=True)
        return folder

    def said(self, text: object) -> str:
        """A message without the paths of this folder."""
        return re.sub(rf"{re.escape(str(self.folder))}/(\w+/\w+/)?", "", str(text))


class Sessions:
    """The tabs that are open.

    Args:
        folder: path, for their folders.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._open = {}

    def of(self, tab: str) -> Session:
        """The session of a tab; the first time it is made.

        Args:
            tab: what the tab is called.
        """
        with self._lock:
            if tab not in self._open:
                self._open[tab] = Session(
                    pathlib.Path(tempfile.mkdtemp(dir=self.folder))
                )
            return self._open[tab]

    def close(self, tab: str) -> None:
        """Stops what runs for a tab, and removes its files but those of others, too."""
        with self._lock:
            session = self._open.pop(tab, None)
            if session is None:
                return
            session.stop.set()
            used = {
                path for one in self._open.values() for path in one.uploads.values()
            }
            for path in set(session.uploads.values()) - used:
                pathlib.Path(path).unlink(missing_ok=True)
            shutil.rmtree(session.folder, ignore_errors=True)


def describe(image: Image) -> str:
    """Size, depth and format of a photograph in words."""
    height, width, _ = image.pixels.shape
    kind = str(image.pixels.dtype)
    depth = f"{image.bits} bit" if image.bits else _KINDS[kind]
    grey = ", grey" if image.is_gray else ""
    return f"{width} x {height} px, {depth}{grey}, {image.format.upper()}"


def write_preview(path: pathlib.Path, image: Image, side: int | None = None) -> None:
    """Writes what a browser shows of a photograph: JPEG with its colour profile.

    Args:
        path: ending in .jpg.
        image: of any depth.
        side: int [px], to which the longer side is reduced, or None.
    """
    pixels = image.pixels
    height, width, _ = pixels.shape
    if side and max(height, width) > side:
        scale = side / max(height, width)
        size = max(round(width * scale), 1), max(round(height * scale), 1)
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    shown = Image(pixels, is_gray=image.is_gray, format="jpeg", icc=image.icc)
    write_image(path, convert_for(shown, path))


def write_mask(
    path: pathlib.Path, layers: Sequence[np.ndarray], size: tuple[int, int]
) -> None:
    """Writes what was painted as a mask for a photograph, white where it was painted.

    Args:
        path: ending in .png.
        layers: (height, width, 4) uint8 each; painted where they are not transparent.
        size: (height, width) of the photograph [px].
    """
    painted = np.logical_or.reduce([layer[..., 3] > 0 for layer in layers])
    mask = np.where(painted, 255, 0).astype(np.uint8)
    mask = cv2.resize(mask, size[::-1], interpolation=cv2.INTER_LINEAR)
    write_image(path, Image(np.repeat(mask[..., None], 3, axis=2), is_gray=True))
