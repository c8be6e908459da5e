"""Networks in Keras' own files, `name.keras`.

Keras loads a class of ours once its module is imported. Importing this module imports
all of them; `import tf_defocus` does so where Keras was imported before.
"""

import os

import keras

from tf_defocus import deconvolution, layers, losses, metrics, models, optimizers

KNOWN_TO_KERAS = (
    deconvolution.WienerDeconvolution,
    layers,
    losses,
    metrics,
    optimizers,
    *(getattr(models, name) for name in models.__all__),
)


def load_model(path: str | os.PathLike) -> keras.Model:
    """Loads a network that `model.save("name.keras")` wrote.

    Args:
        path: of the `.keras` file.

    Returns:
        The `keras.Model`: dict of images in, dict of images out (see its class).

    Raises:
        ValueError: if there is no such file, or it is none of Keras' files.
    """
    return keras.saving.load_model(path)
