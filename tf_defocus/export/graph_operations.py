"""What a network computes, counted from its graph: multiplications, by layer and kind.

The graph is traced for one image of the wanted size; nothing is run. One multiply-add
counts as one (MAC).
"""

import collections
import dataclasses
import math
import re

import tensorflow as tf

from tf_defocus.ops.adaptive_convolution import portable
from tf_defocus.ops.image_convolution import plain_convolutions
from tf_defocus.ops.strips import whole_images

CONVOLUTIONS = ("Conv2D", "Conv3D", "DepthwiseConv2dNative")
TRANSPOSED = ("Conv2DBackpropInput", "Conv3DBackpropInputV2")
PRODUCTS = ("MatMul", "BatchMatMul", "BatchMatMulV2")
TRANSFORMS = ("FFT2D", "IFFT2D", "RFFT2D", "IRFFT2D")
ADDITIONS = ("BiasAdd",)
ACTIVATIONS = ("LeakyRelu",)


@dataclasses.dataclass(frozen=True)
class Operation:
    """One operation of a graph that multiplies, or one of those conventions count.

    Attributes:
        layer: str, path of the layer in the network.
        kind: "convolution", "transposed", "product", "transform", "bias" or
            "activation".
        macs: int, multiply-adds; of a transform 5 n log2 n / 2 for n points; of biases
            and activations their outputs. Of a transposed convolution, at its inputs'
            positions: zeros between them cost nothing.
        macs_at_outputs: int, the same, of a transposed convolution as if every output
            position took the whole kernel.
    """

    layer: str
    kind: str
    macs: int
    macs_at_outputs: int


def count_operations(model, height, width):
    """The operations of a network on one image.

    Args:
        model: built `models.base.RestorationNetwork`.
        height, width: int [px]; the network must accept them (`size_multiple`).

    Returns:
        list of `Operation`, in the order of the graph.

    Raises:
        ValueError: if the sizes do not divide.
    """
    for size, step in zip((height, width), model.size_multiple):
        if size % step:
            raise ValueError(
                f"Height and width must divide by {model.size_multiple}. "
                f"Received: {height}x{width}"
            )
    views = {
        name: tf.TensorSpec((1, height, width, 3), tf.float32)
        for name in model.view_names
    }
    maps = model.frame_maps(height, width)
    views |= {k: tf.TensorSpec((1, *v.shape), tf.float32) for k, v in maps.items()}
    function = tf.function(lambda inputs: model(inputs, training=False))
    with portable(), whole_images(), plain_convolutions():
        graph = function.get_concrete_function(views).graph
    found = (_operation(node, model.name) for node in graph.get_operations())
    return [operation for operation in found if operation is not None]


def totals(operations):
    """dict, kind -> multiply-adds; `transposed_at_outputs` besides."""
    sums = collections.Counter()
    for operation in operations:
        sums[operation.kind] += operation.macs
        if operation.kind == "transposed":
            sums["transposed_at_outputs"] += operation.macs_at_outputs
    return dict(sums)


def _operation(node, name):
    """The `Operation` of a node of the graph, or None."""
    if node.type in CONVOLUTIONS:
        *kernel, channels, filters = node.inputs[1].shape
        outputs = node.outputs[0].shape.num_elements()
        per_output = math.prod(kernel) * channels
        if node.type == "DepthwiseConv2dNative":
            per_output = math.prod(kernel)
        return _made(node, name, "convolution", outputs * per_output)
    if node.type in TRANSPOSED:
        *kernel, filters, channels = node.inputs[1].shape
        per_input = math.prod(kernel) * filters
        inputs = node.inputs[2].shape.num_elements()
        positions = node.outputs[0].shape.num_elements() // filters
        at_outputs = positions * math.prod(kernel) * channels * filters
        return _made(node, name, "transposed", inputs * per_input, at_outputs)
    if node.type in PRODUCTS:
        first, outputs = node.inputs[0].shape, node.outputs[0].shape
        flipped = "transpose_a" if node.type == "MatMul" else "adj_x"
        inner = first[-2] if node.get_attr(flipped) else first[-1]
        return _made(node, name, "product", outputs.num_elements() * inner)
    if node.type in TRANSFORMS:
        shape = (node.inputs[0] if "I" not in node.type else node.outputs[0]).shape
        points = shape[-2] * shape[-1]
        planes = shape.num_elements() // points
        macs = round(planes * 2.5 * points * math.log2(max(points, 2)))
        return _made(node, name, "transform", macs)
    for types, kind in ((ADDITIONS, "bias"), (ACTIVATIONS, "activation")):
        if node.type in types:
            return _made(node, name, kind, node.outputs[0].shape.num_elements())
    return None


def _made(node, name, kind, macs, at_outputs=None):
    # A network is traced when it is built: Keras then numbers this second trace.
    path = re.sub(r"_1(?=/|$)", "", node.name.rpartition("/")[0])
    layer = path.split(f"{name}/")[-1] or name
    return Operation(layer, kind, macs, at_outputs or macs)
