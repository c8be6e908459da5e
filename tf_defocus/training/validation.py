"""The scores that a run logs of itself, on examples it does not train on."""

import numpy as np

from tf_defocus.metrics import COC_THRESHOLD

# Above, a difference is seen by nobody: exactly sharp inputs, which have 80 dB before
# and less after whatever a network does, would else outweigh all others.
CAP = 46.0  # dB


def validate(model, arrays, count):
    """Mean PSNR of input and output over stored examples.

    Args:
        model: `keras.Model`.
        arrays: `StoredArrays`.
        count: int, the first so many examples.

    Returns:
        (dict of `validation_psnr`, `validation_gain`, `validation_psnr_capped`, the
        mean of what each image has up to 46 dB, and, where the circle of confusion
        is known, `validation_gain_blurred` over examples whose mean exceeds 1 px, all
        in dB; pictures (examples, height, 3 * width, 3): blurred, deblurred, sharp).
        The input is the first view where no blurred photograph is stored.
    """
    rows, pictures = [], []
    given = "blurred" if "blurred" in arrays.kinds else model.view_names[0]
    for index in range(min(count, len(arrays))):
        images = arrays.read(index, (*model.view_names, given, "sharp"))
        views = {k: images[k][None] for k in model.view_names}
        deblurred = np.clip(model.predict_on_batch(views)["deblurred"][0], 0, 1)
        sharp = images["sharp"]
        rows.append((psnr(images[given], sharp), psnr(deblurred, sharp)))
        if index < 3:
            strip = [images[given], deblurred, sharp]
            pictures.append(np.concatenate(strip, axis=1))
    before, after = np.array(rows).T
    scalars = {
        "validation_psnr": float(after.mean()),
        "validation_gain": float((after - before).mean()),
        "validation_psnr_capped": float(np.minimum(after, CAP).mean()),
    }
    if arrays.mean_coc is not None:
        blurred = arrays.mean_coc[: len(rows)] > COC_THRESHOLD
        if blurred.any():
            gain = float((after - before)[blurred].mean())
            scalars["validation_gain_blurred"] = gain
    return scalars, np.stack(pictures)


def psnr(image, sharp):
    """Peak signal-to-noise ratio [dB] of two arrays in [0, 1], float; at most 120."""
    return -10 * np.log10(max(float(np.mean((image - sharp) ** 2)), 1e-12))
