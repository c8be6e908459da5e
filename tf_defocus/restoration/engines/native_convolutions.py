"""Convolutions of TensorFlow's graphs as one native operation with what follows.

`ops/cc/winograd.h` computes those of 3x3 (5x5) kernels with 36 multiply-adds where the
definition takes 144 (100), and adds the bias and another tensor, and rectifies, while
the result is in the processor's registers.
"""

import collections

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2
from tensorflow.python.grappler import tf_optimizer

from tf_defocus.restoration.engines.native_dilations import join_dilations
from tf_defocus.restoration.engines.split_concatenations import split_concatenations

OPERATION = "TfDefocusWinogradConvolution"
KERNELS = ((3, 3), (5, 5))
LEAST_CHANNELS = 16  # of inputs and outputs; with fewer, vectors stay empty


def with_native_convolutions(
    graph: tf.compat.v1.GraphDef, output: str
) -> tf.compat.v1.GraphDef:
    """The same graph, its 3x3 and 5x5 convolutions of many channels native operations.

    Args:
        graph: `GraphDef`, its weights constants.
        output: name of the node that is its result.

    Returns:
        `GraphDef`, another, of the nodes that the result needs.
    """
    graph = _with_constants_folded(graph, output)
    split_concatenations(graph)  # imports the graph: before operations of ours are in
    join_dilations(graph)
    nodes = {node.name: node for node in graph.node}
    readers = collections.defaultdict(list)
    for node in graph.node:
        for reference in node.input:
            readers[_name(reference)].append(node)
    added = []
    for node in graph.node:
        if _is_replaceable(node, nodes):
            added.append(_replace(node, nodes, readers, output))
    graph.node.extend(added)
    return _needed(graph, output)


def _needed(graph, output):
    nodes = {node.name: node for node in graph.node}
    waiting, kept = [output], {output}
    while waiting:
        new = set(map(_name, nodes[waiting.pop()].input)) - kept
        kept |= new
        waiting.extend(new)
    result = tf.compat.v1.GraphDef(versions=graph.versions, library=graph.library)
    result.node.extend(node for node in graph.node if node.name in kept)
    return result


def _with_constants_folded(graph, output):
    """Biases and kernels as constants, whatever they are computed from."""
    with tf.Graph().as_default() as imported:
        tf.import_graph_def(graph, name="")
    meta = tf.compat.v1.train.export_meta_graph(graph_def=graph, graph=imported)
    meta.collection_def["train_op"].node_list.value.append(output)
    config = config_pb2.ConfigProto()
    rewrites = config.graph_options.rewrite_options
    rewrites.optimizers.extend(["constfold", "dependency"])
    rewrites.min_graph_nodes = -1
    return tf_optimizer.OptimizeGraph(config, meta)


def _is_replaceable(node, nodes):
    """Whether a node is a plain 3x3 or 5x5 convolution with a constant kernel."""
    if node.op != "Conv2D" or nodes[_name(node.input[1])].op != "Const":
        return False
    ones = [1, 1, 1, 1]
    attributes = node.attr
    rows, columns, channels, filters = _shape(nodes[_name(node.input[1])])
    return (
        (rows, columns) in KERNELS
        and min(channels, filters) >= LEAST_CHANNELS
        and attributes["T"].type == tf.float32.as_datatype_enum
        and attributes["padding"].s == b"SAME"
        and attributes["data_format"].s == b"NHWC"
        and list(attributes["strides"].list.i) == ones
        and list(attributes["dilations"].list.i) == ones
    )


def _replace(convolution, nodes, readers, output):
    """Makes the last node of a convolution the native operation of all of them.

    Returns:
        The node of the bias, to be added to the graph.
    """
    features, kernel = convolution.input[:2]
    filters = _shape(nodes[_name(kernel)])[-1]
    last, bias, addends, slope = convolution, None, [], 1.0

    def only_reader():
        found = readers[last.name]
        return found[0] if len(found) == 1 and last.name != output else None

    for _ in ("bias", "addend"):  # in either order
        reader = only_reader()
        constant = _bias(reader, last, nodes, filters) if bias is None else None
        if constant is not None:
            last, bias = reader, constant
        elif not addends and _is_sum(reader, last, nodes):
            last, addends = reader, [_other_input(reader, last)]
    bias = np.zeros(filters, np.float32) if bias is None else bias
    activated = _activation(last, nodes, readers, output)
    if activated is not None:
        last, slope = activated
    for addend in addends:  # no longer to be taken into what it was added to
        readers[_name(addend)].append(last)
    node = _constant(f"{last.name}/bias", bias)
    _become(last, [features, kernel, node.name, *addends], len(addends), slope)
    return node


def _become(node, inputs, num_addends, slope):
    del node.input[:]
    node.input.extend(inputs)
    node.op = OPERATION
    node.attr.clear()
    node.attr["num_addends"].i = num_addends
    node.attr["negative_slope"].f = slope


def _bias(reader, last, nodes, filters):
    """The constant that the only reader adds per channel, (filters,), or None."""
    if reader is None or reader.op not in ("BiasAdd", "AddV2") or _control(reader):
        return None
    constant = nodes[_name(_other_input(reader, last))]
    if constant.op != "Const" or _shape(constant)[-1:] != (filters,):
        return None
    values = tf.make_ndarray(constant.attr["value"].tensor)
    return values.ravel() if values.size == filters else None


def _is_sum(reader, last, nodes):
    """Whether the only reader adds a tensor that is no constant."""
    if reader is None or reader.op != "AddV2" or _control(reader):
        return False
    return nodes[_name(_other_input(reader, last))].op != "Const"


def _activation(last, nodes, readers, output):
    """(Leaky) ReLU of a node that nobody else reads: its node and slope, or None."""
    if last.name == output:
        return None
    found = {node.name: node for node in readers[last.name]}.values()
    ops = {node.op: node for node in found}
    if len(found) == 1 and "Relu" in ops:
        return ops["Relu"], 0.0
    if len(found) == 1 and "LeakyRelu" in ops:
        return ops["LeakyRelu"], ops["LeakyRelu"].attr["alpha"].f
    if len(found) == 2 and set(ops) == {"Mul", "Maximum"}:  # max(x, slope x)
        constant = nodes[_name(_other_input(ops["Mul"], last))]
        scaled = _name(_other_input(ops["Maximum"], last)) == ops["Mul"].name
        if scaled and constant.op == "Const" and len(readers[ops["Mul"].name]) == 1:
            slope = float(tf.make_ndarray(constant.attr["value"].tensor))
            return (ops["Maximum"], slope) if 0 <= slope < 1 else None
    return None


def _other_input(node, known):
    """Of two inputs the one that is not `known`."""
    first, second = node.input[:2]
    return second if _name(first) == known.name else first


def _control(node):
    return any(reference.startswith("^") for reference in node.input)


def _constant(name, values):
    node = tf.compat.v1.NodeDef(name=name, op="Const")
    node.attr["dtype"].type = tf.float32.as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values, tf.float32))
    return node


def _shape(constant):
    return tuple(d.size for d in constant.attr["value"].tensor.tensor_shape.dim)


def _name(reference):
    return reference.lstrip("^").partition(":")[0]
