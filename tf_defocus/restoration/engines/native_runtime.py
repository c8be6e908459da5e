"""Stages of networks in TensorFlow, with the native convolutions of `ops/cc`."""

import pathlib
from collections.abc import Callable

import numpy as np

from tf_defocus.restoration.engines.stages import OUTPUT

PACKAGES = ()  # TensorFlow, which networks need anyway; and a C++ compiler, once
EXTRA = "tensorflow"
PRECISIONS = ("float32",)
PORTABLE = False  # the graph may hold native operations
FILE = "graph.pb"


def convert(graph, inputs: dict[str, np.ndarray], folder: pathlib.Path) -> None:
    """Writes a graph as `graph.pb`.

    Args:
        graph: `GraphDef` of `graphs.frozen_stage`.
        inputs: dict, of its placeholders' names.
        folder: where the file is written.
    """
    from tf_defocus.restoration.engines import native_convolutions

    faster = native_convolutions.with_native_convolutions(graph, OUTPUT)
    (folder / FILE).write_bytes(faster.SerializeToString())


def load(folder: pathlib.Path, precision: str, threads: int) -> Callable:
    """A converted stage, ready to run.

    Args:
        folder: with the file that `convert` wrote.
        precision: "float32".
        threads: int; TensorFlow's own number holds, which the process has.

    Returns:
        Function of a dict of arrays that returns an array.

    Raises:
        NativeKernelError: if the operations cannot be built or loaded.
    """
    import tensorflow as tf

    from tf_defocus.ops import adaptive_convolution_native

    del precision, threads
    adaptive_convolution_native.load()
    graph = tf.compat.v1.GraphDef.FromString((folder / FILE).read_bytes())
    names = [node.name for node in graph.node if node.op == "Placeholder"]
    kernels = _take_kernels(graph)
    imported = tf.compat.v1.wrap_function(
        lambda: tf.import_graph_def(graph, name=""), []
    )
    *tensors, output = (
        imported.graph.get_tensor_by_name(f"{name}:0")
        for name in (*names, *kernels, OUTPUT)
    )
    function = imported.prune(tensors, output)

    def compute(inputs):
        images = (tf.convert_to_tensor(inputs[name]) for name in names)
        return function(*images, *kernels.values()).numpy()

    return compute


def _take_kernels(graph):
    """dict, name -> kernel of native convolutions, whose nodes become placeholders.

    TensorFlow copies a graph's constants several times before it runs.
    """
    import tensorflow as tf

    from tf_defocus.restoration.engines import native_convolutions

    native = native_convolutions.OPERATION
    names = {node.input[1] for node in graph.node if node.op == native}
    kernels = {}
    for node in graph.node:
        if node.name in names and node.op == "Const":
            value = node.attr["value"].tensor
            kernels[node.name] = tf.constant(tf.make_ndarray(value))
            node.op = "Placeholder"
            node.attr["shape"].shape.CopyFrom(value.tensor_shape)
            del node.attr["value"]
    return kernels
