"""What was chosen on the page, as options of `tf-defocus deblur`."""

import dataclasses
import os
import pathlib
import shlex
from collections.abc import Sequence

import numpy as np

from tf_defocus.cli.app import sessions
from tf_defocus.cli.app.worker import RestorationError
from tf_defocus.cli.deblur import SCALES
from tf_defocus.images.files import read_image

SUFFIX = "_restored"
MAP_SUFFIX = "_blur"


@dataclasses.dataclass(frozen=True)
class Choices:
    """What is asked of a restoration.

    Attributes:
        preset: str.
        views: tuple of str, those besides the photograph that the preset wants.
        strength: float in [0, 1].
        protect_sharp, ensemble, defocus_map: bool.
        extension: str, as of `--ext`.
        painted: (height, width, 4) uint8, painted where it is not transparent; one per
            layer.
        is_crop: bool, whether blur may be wider than in whole photographs of that size.
    """

    preset: str
    views: tuple[str, ...] = ()
    strength: float = 1.0
    protect_sharp: bool = True
    ensemble: bool = False
    defocus_map: bool = False
    extension: str = "auto"
    painted: Sequence[np.ndarray] = ()
    is_crop: bool = False

    def arguments(self, session: sessions.Session) -> list[str]:
        """The options of `tf-defocus deblur` for the photograph of a tab.

        Args:
            session: `Session`; gets folders `restored` and `mask`.

        Raises:
            RestorationError: if a view is missing.
            ImageFileError: if the mask cannot be written.
        """
        photograph, restored = session.kept("photograph"), session.fresh("restored")
        found = ["-i", photograph, "-o", restored, "--suffix", SUFFIX]
        found += ["-n", self.preset]
        for view in self.views:
            if not session.kept(view):
                raise RestorationError(f"{self.preset} wants the {view} view; drop it")
            found += [f"--{view}", session.kept(view)]
        if self.strength < 1:
            found += ["--strength", f"{self.strength:g}"]
        if not self.protect_sharp:
            found.append("--no-protect-sharp")
        if self.is_crop:
            found += ["--scales", SCALES[-1]]
        if self.ensemble:
            found.append("--ensemble")
        if self.extension != "auto":
            found += ["--ext", self.extension]
        found += self._mask(session, photograph)
        if self.defocus_map:
            found += ["--defocus-map", restored / f"{photograph.stem}{MAP_SUFFIX}.png"]
        return list(map(str, found))

    def _mask(self, session, photograph):
        path = session.fresh("mask") / f"{photograph.stem}_mask.png"
        if not any(layer[..., 3].any() for layer in self.painted):
            return []
        size = read_image(photograph).pixels.shape[:2]
        sessions.write_mask(path, self.painted, size)
        return ["--mask", path]


def command(session: sessions.Session, arguments: Sequence[str]) -> str:
    """The command that writes the same file, given in the photograph's folder.

    Args:
        session: `Session`.
        arguments: of `tf-defocus deblur`, with paths in the session's folder.
    """
    words = []
    for word in arguments:
        if word.startswith(f"{session.folder}{os.sep}"):
            path = pathlib.Path(word)
            word = "restored/" if path.is_dir() else path.name
        words.append(word)
    return f"tf-defocus deblur {shlex.join(words)}"
