"""The complementary error function by the error function, where ONNX has only that.

Keras' exact GELU is x erfc(-x / sqrt 2) / 2.
"""

import tensorflow as tf


def without_complement(graph: tf.compat.v1.GraphDef) -> tf.compat.v1.GraphDef:
    """Writes every erfc(x) as 1 - erf(x).

    The two differ by the rounding of 1, 6e-8, which for a GELU of x is 3e-8 |x|.

    Args:
        graph: `GraphDef`.

    Returns:
        `GraphDef`, another.
    """
    result = tf.compat.v1.GraphDef()
    result.CopyFrom(graph)
    for node in list(result.node):
        if node.op == "Erfc":
            _express(node, result)
    return result


def _express(node, graph):
    """Makes a difference of `node`, whose name its readers know."""
    dtype = node.attr["T"]
    error = graph.node.add(op="Erf", name=f"{node.name}/erf", input=node.input)
    error.attr["T"].CopyFrom(dtype)
    one = graph.node.add(op="Const", name=f"{node.name}/one")
    one.attr["dtype"].CopyFrom(dtype)
    value = tf.make_tensor_proto(1, tf.dtypes.as_dtype(dtype.type))
    one.attr["value"].tensor.CopyFrom(value)
    node.op = "Sub"
    node.input[:] = [one.name, error.name]
