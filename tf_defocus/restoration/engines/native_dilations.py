"""Convolutions of one kernel at several dilation rates as one native operation.

KPAC's blocks are made of them. `ops/cc/shared_dilations.h` multiplies once for all.
"""

import collections

import tensorflow as tf

OPERATION = "TfDefocusSharedDilations"
LEAST_RATES = 2
LEAST_CHANNELS = 16  # of inputs and outputs; with fewer, vectors stay empty


def join_dilations(graph: tf.compat.v1.GraphDef) -> None:
    """Replaces them in a graph whose kernels are constants; nothing else changes."""
    nodes = {node.name: node for node in graph.node}
    groups = collections.defaultdict(list)
    for node in graph.node:
        rate = _rate(node, nodes)
        if rate is not None:
            kernel = nodes[node.input[1]].attr["value"].SerializeToString()
            groups[node.input[0], kernel].append((node, rate))
    for (features, _), found in groups.items():
        if len(found) >= LEAST_RATES:
            graph.node.append(_join(features, found))


def _join(features, found):
    """The joint operation; the convolutions become its outputs' names."""
    convolutions, rates = zip(*found)
    first = convolutions[0]
    node = tf.compat.v1.NodeDef(name=f"{first.name}/shared", op=OPERATION)
    node.input.extend([features, first.input[1]])
    node.attr["num_rates"].i = len(rates)
    node.attr["rates"].list.i.extend(rates)
    for index, convolution in enumerate(convolutions):
        dtype = convolution.attr["T"].type
        convolution.op = "Identity"
        convolution.attr.clear()
        convolution.attr["T"].type = dtype
        del convolution.input[:]
        convolution.input.append(f"{node.name}:{index}")
    return node


def _rate(node, nodes):
    """The dilation rate of a convolution that keeps the size, or None."""
    if node.op != "Conv2D" or nodes.get(node.input[1]) is None:
        return None
    if nodes[node.input[1]].op != "Const" or len(node.input) > 2:
        return None
    sides = nodes[node.input[1]].attr["value"].tensor.tensor_shape.dim
    rows, columns, channels, filters = (side.size for side in sides)
    dilations = list(node.attr["dilations"].list.i)
    pad = dilations[1] * (rows // 2)
    explicit = list(node.attr["explicit_paddings"].list.i)
    keeps_size = node.attr["padding"].s == b"SAME" or (
        node.attr["padding"].s == b"EXPLICIT" and explicit == [0, 0, *[pad] * 4, 0, 0]
    )
    fits = (
        keeps_size
        and rows == columns
        and rows % 2 == 1 < rows
        and min(channels, filters) >= LEAST_CHANNELS
        and node.attr["T"].type == tf.float32.as_datatype_enum
        and node.attr["data_format"].s == b"NHWC"
        and list(node.attr["strides"].list.i) == [1, 1, 1, 1]
        and dilations == [1, dilations[1], dilations[1], 1]
    )
    return dilations[1] if fits else None
