"""Dilated convolutions as one operation, where TensorFlow's graphs have three.

TensorFlow computes them by `SpaceToBatchND`, an ordinary convolution and
`BatchToSpaceND`. Converters find the three at sizes known beforehand only; else they
move every pixel twice, in dozens of operations.
"""

import tensorflow as tf


def joined(graph: tf.compat.v1.GraphDef) -> tf.compat.v1.GraphDef:
    """Writes every such convolution as a `Conv2D` with dilations.

    Args:
        graph: `GraphDef`, its weights constants.

    Returns:
        `GraphDef`, another, that computes the same; what is left without a reader stays
        for the converter to drop.
    """
    result = tf.compat.v1.GraphDef()
    result.CopyFrom(graph)
    nodes = {node.name: node for node in result.node}
    for node in result.node:
        if node.op == "BatchToSpaceND":
            _join(node, nodes)
    return result


def _join(last, nodes):
    """Makes the convolution of `last`, whose name its readers know."""
    convolution = nodes[_name(last.input[0])]
    first = nodes[_name(convolution.input[0])]
    if convolution.op != "Conv2D" or first.op != "SpaceToBatchND":
        return
    rates = _value(nodes[_name(first.input[1])])
    zeros = _asked_paddings(first.input[2], nodes)
    if zeros is None:
        return
    inputs = [first.input[0], convolution.input[1]]
    attributes = convolution.attr
    del last.input[:]
    last.input.extend(inputs)
    last.op = "Conv2D"
    last.attr.clear()
    for name, attribute in attributes.items():
        last.attr[name].CopyFrom(attribute)
    last.attr["padding"].s = b"EXPLICIT"  # onnxruntime has no dilated "SAME"
    last.attr["explicit_paddings"].list.i[:] = [0, 0, *map(int, zeros.ravel()), 0, 0]
    last.attr["dilations"].list.i[:] = [1, *map(int, rates), 1]


def _asked_paddings(name, nodes):
    """The zeros that were asked for, before sizes were filled up; None if not found.

    Of all constants they are computed from it alone is one of pairs.
    """
    waiting, seen = [_name(name)], set()
    while waiting:
        node = nodes[waiting.pop()]
        if node.op == "Const" and _value(node).shape == (2, 2):
            return _value(node)
        if node.op != "Shape":  # beyond it is the image
            new = set(map(_name, node.input)) - seen
            seen |= new
            waiting.extend(new)
    return None


def _name(reference):
    return reference.lstrip("^").partition(":")[0]


def _value(node):
    return tf.make_ndarray(node.attr["value"].tensor)
