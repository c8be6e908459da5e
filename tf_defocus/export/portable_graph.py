"""A network as a frozen graph of ordinary operations, for converters to read.

The graph holds no checks, branches or strings, which other runtimes do not have: views
in, mirrored at their borders, deblurred, cropped and clipped to [0, 1].
"""

import tensorflow as tf

from tf_defocus.export.served_images import quantize, scaled
from tf_defocus.models.base import RestorationNetwork, check_restores
from tf_defocus.ops.padding import crop_like, pad_to_multiple
from tf_defocus.ops.tensor import Tensor
from tf_defocus.restoration.engines.graphs import frozen_function

OUTPUT = "deblurred"
IMAGES = (None, None, None, 3)


def restore_views(model: RestorationNetwork, views: dict[str, Tensor]) -> Tensor:
    """What every exported graph computes.

    Args:
        model: the network.
        views: dict of (batch, height, width, 3) float32 in [0, 1], one per view.

    Returns:
        (batch, height, width, 3) float32; not clipped.
    """
    first = next(iter(views.values()))
    margin, multiple = model.border_margin, model.size_multiple
    _, height, width, _ = tf.unstack(tf.shape(first))
    maps = model.frame_maps(height, width)
    inputs = {**views, **{name: value[None] for name, value in maps.items()}}
    padded = {
        name: pad_to_multiple(value, multiple, margin) for name, value in inputs.items()
    }
    deblurred = model(padded, training=False)[OUTPUT]
    return crop_like(deblurred, first, margin)


def frozen_graph(
    model: RestorationNetwork, signature: str = "float32"
) -> tf.compat.v1.GraphDef:
    """The graph of a network with its weights as constants.

    Args:
        model: a network of `create_model`, on the TensorFlow backend.
        signature: "float32" or "uint8", dtype of the images.

    Returns:
        `GraphDef`; its placeholders are named as the views, (batch, height, width, 3),
        all three sizes free; its result, alike, is the node `deblurred`.

    Raises:
        ValueError: if the network's result is no image.
    """
    check_restores(model)
    views = {n: tf.TensorSpec(IMAGES, signature, name=n) for n in model.view_names}

    def body(**views):
        if signature == "uint8":
            views = {name: scaled(view) for name, view in views.items()}
        restored = tf.clip_by_value(restore_views(model, views), 0, 1)
        if signature == "uint8":
            restored = quantize(restored, tf.uint8)
        return tf.identity(restored, name=OUTPUT)

    return frozen_function(body, views)
