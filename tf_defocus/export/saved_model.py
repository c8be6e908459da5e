"""SavedModels that need nothing but TensorFlow.

The exported graph takes photographs of any size, in batches of any size, mirrors them
at their borders up to what the network divides by, deblurs, crops back and clips to
[0, 1]. It holds ordinary operations only and no object of Keras or of this package, so
a process or server without either loads it. Photographs are computed whole, never in
tiles: memory grows with their size.

Each signature takes one input per view of the model (`blurred`, for dual-pixel models
also `left` and `right`), all views alike in batch, height and width:

    serving_default  float32 (batch, height, width, 3) in [0, 1]
                     -> deblurred, of the same shape and dtype
    uint8            uint8 (batch, height, width, 3)
                     -> deblurred, of the same shape and dtype, rounded
    encoded          string (batch,): PNG of 8 or 16 bits, or JPEG; one size per call
                     -> deblurred  uint8 (batch, height, width, 3)
                     -> encoded_bytes  string (batch,): PNG, bits as of the first view

A signature takes its own dtype: other arrays (float64!) must be cast by the caller. The
encoded signature shows a file upright, as its EXIF orientation says; it applies no
colour profile and drops transparency. A call of more pixels than the graph was exported
for (`max_pixels` of the card) is refused before anything is decoded; an empty batch is
answered with an empty batch.
"""

import datetime
import hashlib
import json
import os
import pathlib
import platform
import tempfile
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import tf_defocus
from tf_defocus.export.graph_memory import max_pixels
from tf_defocus.export.portable_graph import restore_views
from tf_defocus.export.served_images import (
    check_pixels,
    decode_images,
    encode_images,
    quantize,
    scaled,
)
from tf_defocus.models.base import RestorationNetwork, check_restores
from tf_defocus.models.weights import variable_names
from tf_defocus.ops.adaptive_convolution import portable
from tf_defocus.restoration.restorer import Restorer

CARD = "model_card.json"
PARITY_TOLERANCE = 1e-5  # of the float signature, images in [0, 1]
# Of layers in 16 bits, which graphs fuse and round elsewhere: four units at 1.
HALF_TOLERANCES = {"float16": 2.0**-9, "bfloat16": 2.0**-6}
PARITY_SIZE = (37, 51)  # odd, so that padding is part of what is compared


def export_saved_model(
    model: RestorationNetwork,
    output: str | os.PathLike,
    preset: str,
    overwrite: bool = False,
    max_megapixels: float | None = None,
) -> dict[str, Any]:
    """Writes a model as a SavedModel with its card, once it agrees with the `Restorer`.

    Args:
        model: a network of `create_model`.
        output: str or path of the folder; its parent is made if absent. TensorFlow
            Serving wants a number as its name: `kpac_3level/1`.
        preset: str, what the card calls the weights.
        overwrite: bool; True replaces a SavedModel of that name.
        max_megapixels: float, the most that one call may hold, all its images together;
            None for what fits 4 GiB with this network.

    Returns:
        The card, a dict, also in `model_card.json` of the folder: versions, signatures,
        sha256 of the weights and the parity that was measured.

    Raises:
        ValueError: if Keras does not run on TensorFlow, or the network's result is no
            image.
        FileExistsError: if the folder exists and is not to be, or no SavedModel.
        ArithmeticError: if the graph and the `Restorer` differ; nothing is written.
    """
    check_restores(model)
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "A SavedModel needs KERAS_BACKEND=tensorflow. "
            f"Received: {keras.backend.backend()}"
        )
    limit = int(max_megapixels * 1e6) if max_megapixels else max_pixels(model)
    output = pathlib.Path(output).absolute()
    _check_output(output, overwrite)
    output.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{output.name}."
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=prefix) as scratch:
        folder = pathlib.Path(scratch) / "new"
        _save_graph(model, folder, limit)
        card = _describe(model, preset, measure_parity(model, folder), limit)
        (folder / CARD).write_text(json.dumps(card, indent=2) + "\n")
        if output.exists():
            os.rename(output, pathlib.Path(scratch) / "previous")
        os.rename(folder, output)
    return card


def measure_parity(
    model: RestorationNetwork, folder: str | os.PathLike
) -> dict[str, Any]:
    """Compares a SavedModel with the `Restorer` on one small image of noise.

    Args:
        model: the network.
        folder: of the SavedModel made of it.

    Returns:
        dict: `image_size` [px], `max_error` of the float signature, `max_levels`
        by which the uint8 signature differs.

    Raises:
        ArithmeticError: if they differ by more than 1e-5 or one level (a value that
            lies between two levels may be rounded either way); of layers that compute
            in 16 bits by more than four units of their rounding.
    """
    tolerance = HALF_TOLERANCES.get(model.compute_dtype, PARITY_TOLERANCE)
    most_levels = max(1, round(255 * tolerance))
    restorer = Restorer(model, tile=0)
    signatures = tf.saved_model.load(str(folder)).signatures
    rng = np.random.default_rng(0)
    levels = {
        name: rng.integers(0, 256, (*PARITY_SIZE, 3), dtype=np.uint8)
        for name in restorer.view_names
    }
    floats = {name: view / np.float32(255) for name, view in levels.items()}
    errors = []
    for signature, views in (("serving_default", floats), ("uint8", levels)):
        batch = {name: tf.constant(view[None]) for name, view in views.items()}
        actual = signatures[signature](**batch)["deblurred"][0].numpy()
        difference = actual.astype("float64") - restorer.restore(**views)
        errors.append(float(np.abs(difference).max()))
    if not (errors[0] < tolerance and errors[1] <= most_levels):
        raise ArithmeticError(
            f"The exported graph must agree with the Restorer within {tolerance:.2g} "
            f"and {most_levels} of 255 levels. Received: differences {errors[0]:.2g}, "
            f"{errors[1]:.0f}; nothing was written"
        )
    return {
        "image_size": list(PARITY_SIZE),
        "max_error": errors[0],
        "max_levels": int(errors[1]),
    }


class RestorationGraph:
    """A network as functions of tensors: the bodies of the three signatures.

    Args:
        model: a network of `create_model`.
        limit: int, the most pixels of one call; None for no limit.
    """

    def __init__(self, model: RestorationNetwork, limit: int | None = None) -> None:
        self.model = model
        self.limit = limit or 2**62
        # A function of its own: the signatures share one trace of the network.
        self._restore = tf.function(self._restore_views, autograph=False)

    def restore_floats(self, views: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """dict of float32 in [0, 1] -> dict of the same."""
        return {"deblurred": self._restore(views)}

    def restore_levels(self, views: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """dict of uint8 -> dict of the same."""
        floats = {name: scaled(view) for name, view in views.items()}
        return {"deblurred": quantize(self._restore(floats), tf.uint8)}

    def restore_encoded(self, views: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """dict of strings -> dict of uint8 images and of strings."""
        deblurred = self._restore(
            {k: decode_images(v, self.limit) for k, v in views.items()}
        )
        return {
            "deblurred": quantize(deblurred, tf.uint8),
            # TensorFlow Serving sends as base64 what is called so
            "encoded_bytes": encode_images(
                deblurred, like=views[self.model.view_names[0]]
            ),
        }

    def _restore_views(self, views):
        shapes = [tf.shape(view) for view in views.values()]
        checks = [
            tf.debugging.assert_equal(shape, shapes[0], "Views must be alike in shape")
            for shape in shapes[1:]
        ]
        pixels = tf.reduce_prod(tf.cast(shapes[0][:3], tf.int64))
        checks.append(check_pixels(pixels, self.limit))
        with tf.control_dependencies(checks):
            views = {name: tf.identity(view) for name, view in views.items()}
        first = next(iter(views.values()))
        # an empty batch has no pixel for a network to begin with
        return tf.cond(pixels > 0, lambda: self._run_network(views), lambda: first)

    def _run_network(self, views):
        deblurred = restore_views(self.model, views)
        deblurred = tf.debugging.check_numerics(
            deblurred, "The network returned values that are not finite"
        )
        return tf.clip_by_value(deblurred, 0, 1)


def _save_graph(model, folder, limit):
    graph = RestorationGraph(model, limit)
    image, text = (None, None, None, 3), (None,)
    bodies = {
        "serving_default": (graph.restore_floats, image, tf.float32),
        "uint8": (graph.restore_levels, image, tf.uint8),
        "encoded": (graph.restore_encoded, text, tf.string),
    }
    # TensorFlow's own variables: the Keras objects around them would want Keras.
    module = tf.Module(name="restoration")
    module.weights = [variable.value for variable in model.variables]
    with portable():
        signatures = {
            name: _trace(body, model.view_names, shape, dtype)
            for name, (body, shape, dtype) in bodies.items()
        }
    tf.saved_model.save(module, str(folder), signatures=signatures)


def _trace(body, view_names, shape, dtype):
    views = {name: tf.TensorSpec(shape, dtype, name=name) for name in view_names}

    def checked(views):
        # A loaded graph does not compare its inputs with its signature: an array of
        # another rank would end the process inside a convolution.
        return body({k: tf.ensure_shape(view, shape) for k, view in views.items()})

    return tf.function(checked, autograph=False).get_concrete_function(views)


def _check_output(output, overwrite):
    if not output.exists():
        return
    if not overwrite:
        raise FileExistsError(f"{output} exists; name another, or give --overwrite")
    if not (output / "saved_model.pb").is_file():
        raise FileExistsError(f"{output} is no SavedModel, so it stays; name another")


def _describe(model, preset, parity, limit):
    image = "(batch, height, width, 3)"
    inputs = {
        "serving_default": f"float32 {image} in [0, 1]",
        "uint8": f"uint8 {image}",
        "encoded": "string (batch,), PNG or JPEG of one size",
    }
    outputs = {name: {"deblurred": text} for name, text in inputs.items()}
    outputs["encoded"] = {
        "deblurred": inputs["uint8"],
        "encoded_bytes": "string (batch,), PNG",
    }
    return {
        "preset": preset,
        "model": model.name,
        "parameters": int(model.count_params()),
        "weights_sha256": weights_digest(model),
        "signatures": {
            name: {
                "inputs": dict.fromkeys(model.view_names, text),
                "outputs": outputs[name],
            }
            for name, text in inputs.items()
        },
        "parity": parity,
        "max_pixels": limit,
        "versions": {
            "tf_defocus": tf_defocus.__version__,
            "tensorflow": tf.__version__,
            "keras": keras.version(),
            "python": platform.python_version(),
        },
        "exported": datetime.datetime.now(datetime.timezone.utc).isoformat(),
    }


def weights_digest(model: RestorationNetwork) -> str:
    """sha256 of every weight's name and bytes, in the model's order.

    Args:
        model: built network.

    Returns:
        str, hexadecimal.
    """
    digest = hashlib.sha256()
    for name, weight in zip(variable_names(model), model.weights):
        digest.update(name.encode())
        digest.update(keras.ops.convert_to_numpy(weight).tobytes())
    return digest.hexdigest()
