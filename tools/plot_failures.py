"""Draws where a preset fails, at 100 %: each kind with its input and its truth.

    python tools/plot_failures.py --preset kpac_3level_free \\
        --output docs/failures/kpac_3level_free.jpg

The network alone, at full size, as in scores; `tf-defocus deblur` protects what is in
focus and restores smaller copies, too. The photograph is scikit-image's cat "chelsea"
(Stefan van der Walt, CC0), which is sharp to the hair, with one disc of blur all over.
"""

import pathlib

import numpy as np
import scipy.signal
from absl import flags

from tf_defocus import commands

PRESET = flags.DEFINE_string("preset", None, "Whose failures.", required=True)
OUTPUT = flags.DEFINE_string("output", None, "Picture to write.", required=True)
TOP = flags.DEFINE_integer("top", 60, "Of the part shown [px].", 0)
LEFT = flags.DEFINE_integer("left", 130, "Of the part shown [px].", 0)
SIZE = flags.DEFINE_integer("size", 160, "Of the part shown, a square [px].", 16)
WIDE = 30.0  # [px], diameter of the disc
MODERATE = 6.0
SIGMA = 20 / 255  # of the noise
SHAKE = 15  # [px], length of the camera's shake


def defocus(diameter):
    """(left, right) kernels of a disc, halved by the sensor's pixels."""
    from tf_defocus.optics import psf

    return psf.dual_pixel_pair(diameter, psf.ApertureSplit())


def shake():
    """(left, right): the same slanted line."""
    kernel = np.eye(SHAKE) / SHAKE
    return kernel, kernel


def views_of(sharp, kernels, sigma=0.0):
    """What a dual-pixel camera sees through two kernels, with noise.

    Args:
        sharp: (height, width, 3) float in [0, 1], in sRGB.
        kernels: (left, right).
        sigma: float, of Gaussian noise in the photograph, in sRGB; each view, of half
            the light, has sqrt(2) as much.

    Returns:
        dict, "left", "right" and "blurred", their mean in linear light: float32 images
        in [0, 1].
    """
    from tf_defocus.optics import sensor

    light = sensor.srgb_to_linear(sharp)
    seen = {}
    for name, kernel in zip(("left", "right"), kernels):
        rows, columns = (side // 2 for side in kernel.shape)
        border = ((rows, rows), (columns, columns), (0, 0))
        padded = np.pad(light, border, "reflect")
        seen[name] = scipy.signal.fftconvolve(padded, kernel[:, :, None], "valid")
    seen["blurred"] = (seen["left"] + seen["right"]) / 2
    draw = np.random.default_rng(0).normal(size=(2, *sharp.shape))
    noise = dict(zip(("left", "right"), sigma * np.sqrt(2) * draw))
    noise["blurred"] = (noise["left"] + noise["right"]) / 2
    return {
        name: np.clip(
            sensor.linear_to_srgb(np.clip(linear, 0, 1)) + noise[name], 0, 1
        ).astype("float32")
        for name, linear in seen.items()
    }


def cases(sharp):
    """dict, kind of failure -> what the camera sees."""
    identity = (np.ones((1, 1)),) * 2
    return {
        "in focus": views_of(sharp, identity),
        f"blur of {WIDE:g} px": views_of(sharp, defocus(WIDE)),
        f"shake of {SHAKE} px": views_of(sharp, shake()),
        f"blur of {MODERATE:g} px, noise": views_of(sharp, defocus(MODERATE), SIGMA),
    }


def main(_):
    """Restores and draws three columns: input, restored, truth."""
    import skimage.data

    from tf_defocus import Restorer
    from tf_defocus.evaluation import protocols
    from tf_defocus.images import levels
    from tf_defocus.images.files import Image, write_image
    from tf_defocus.reports.picture_sheet import picture_sheet

    sharp = skimage.data.chelsea().astype("float32") / 255
    restorer = Restorer.from_preset(PRESET.value)
    rows, columns = (slice(a, a + SIZE.value) for a in (TOP.value, LEFT.value))
    parts = []
    for kind, views in cases(sharp).items():
        restored = restorer.restore(
            **{name: views[name] for name in restorer.view_names}
        )
        drawn = {kind: views["blurred"], "restored": restored, "truth": sharp}
        for text, image in drawn.items():
            psnr = protocols.score(image, sharp, "native16")["psnr"]
            number = f"  {psnr:.1f} dB" if psnr < 100 else ""  # else the same
            part = levels.to_levels(image[rows, columns], np.uint8)
            parts.append((text + number, part))
    pathlib.Path(OUTPUT.value).parent.mkdir(parents=True, exist_ok=True)
    write_image(OUTPUT.value, Image(picture_sheet(parts, columns=3)))
    print(f"written: {OUTPUT.value}")


if __name__ == "__main__":
    commands.run(main)
