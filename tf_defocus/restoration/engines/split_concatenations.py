"""Convolutions of concatenated features as sums of convolutions of the parts.

    conv([a, b], [K_a, K_b]) = conv(a, K_a) + conv(b, K_b)

At full size a skip, what it is joined to and the concatenation of both are most of a
network's memory. The sum needs no copy, and a skip is used as soon as it is there.
"""

import collections

import numpy as np
import tensorflow as tf

MOST_PARTS = 2  # with more, what every part writes and adds takes longer than a copy


def split_concatenations(graph: tf.compat.v1.GraphDef) -> None:
    """Replaces them in a graph whose kernels are constants; nothing else changes."""
    nodes = {node.name: node for node in graph.node}
    readers = collections.Counter(
        reference.partition(":")[0] for node in graph.node for reference in node.input
    )
    with tf.Graph().as_default() as imported:
        tf.import_graph_def(graph, name="")
    for node in list(graph.node):
        joined = nodes.get(node.input[0]) if node.op == "Conv2D" else None
        if joined is None or joined.op != "ConcatV2" or readers[joined.name] > 1:
            continue
        parts = list(joined.input[:-1])
        channels = [_channels(imported, part) for part in parts]
        kernel = nodes.get(node.input[1])
        if len(parts) > MOST_PARTS or None in channels or kernel.op != "Const":
            continue
        kernel = tf.make_ndarray(kernel.attr["value"].tensor)
        if sum(channels) == kernel.shape[2]:  # else joined along another axis
            graph.node.extend(_split(node, parts, channels, kernel))


def _split(convolution, parts, channels, kernel):
    """Makes the convolution a sum; returns what it sums, and their kernels."""
    added, sums = [], []
    kernels = np.split(kernel, np.cumsum(channels)[:-1], axis=2)
    for index, (part, values) in enumerate(zip(parts, kernels)):
        weights = tf.compat.v1.NodeDef(
            name=f"{convolution.name}/kernel{index}", op="Const"
        )
        weights.attr["dtype"].type = convolution.attr["T"].type
        weights.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values))
        own = tf.compat.v1.NodeDef(name=f"{convolution.name}/part{index}", op="Conv2D")
        own.input.extend([part, weights.name])
        for name, value in convolution.attr.items():
            own.attr[name].CopyFrom(value)
        added += [weights, own]
        sums.append(own.name)
    dtype = convolution.attr["T"].type
    convolution.op = "AddV2"
    convolution.attr.clear()
    convolution.attr["T"].type = dtype
    del convolution.input[:]
    convolution.input.extend(sums)
    return added


def _channels(imported, reference):
    """How many the last axis of a node's output has, or None."""
    name = reference if ":" in reference else f"{reference}:0"
    shape = imported.get_tensor_by_name(name).shape
    return shape[-1] if shape.rank == 4 else None
