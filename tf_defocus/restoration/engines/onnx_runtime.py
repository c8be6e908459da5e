"""Stages of networks in onnxruntime."""

import contextlib
import logging
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tf_defocus.restoration.engines import error_functions
from tf_defocus.restoration.engines.stages import OUTPUT

PACKAGES = ("onnx", "onnxruntime", "tf2onnx")
EXTRA = "onnx"
PRECISIONS = ("float32",)  # of convolutions on processors
OPSET = 17
PORTABLE = True  # the graph holds ordinary operations alone
FILE = "graph.onnx"


def convert(graph, inputs: dict[str, np.ndarray], folder: pathlib.Path) -> None:
    """Writes a graph as `graph.onnx`.

    Args:
        graph: `GraphDef` of `graphs.frozen_stage`.
        inputs: dict, of its placeholders' names.
        folder: where the file is written.

    Raises:
        ValueError: if it needs an operation that ONNX does not have.
    """
    proto = onnx_proto(graph, [*inputs], OUTPUT)
    (folder / FILE).write_bytes(proto.SerializeToString())


def onnx_proto(graph, inputs: Sequence[str], output: str) -> Any:
    """A graph as `onnx.ModelProto`.

    Args:
        graph: `GraphDef` without variables.
        inputs: names of its placeholders, and of the inputs.
        output: name of the node that is its result, and of the output.

    Raises:
        ValueError: if it needs an operation that ONNX does not have.
    """
    import onnx
    import tf2onnx.convert

    names = {f"{name}:0": name for name in (*inputs, output)}
    with _silent("tf2onnx"), _silent("tensorflow"):  # what failed is told below
        proto, _ = tf2onnx.convert.from_graph_def(
            error_functions.without_complement(graph),
            input_names=[f"{name}:0" for name in inputs],
            output_names=[f"{output}:0"],
            tensors_to_rename=names,
            opset=OPSET,
        )
    known = {schema.name for schema in onnx.defs.get_all_schemas()}
    unknown = {node.op_type for node in proto.graph.node} - known
    if unknown:
        raise ValueError(f"ONNX has no {', '.join(sorted(unknown))}")
    return proto


def load(folder: pathlib.Path, precision: str, threads: int) -> Callable:
    """A converted stage, ready to run.

    Args:
        folder: with the file that `convert` wrote.
        precision: "float32".
        threads: int, how many compute.

    Returns:
        Function of a dict of arrays that returns an array.
    """
    import onnxruntime

    del precision
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors
    # Between two calls threads sleep: others compute then.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = ["CPUExecutionProvider"]
    path = os.fspath(folder / FILE)
    session = onnxruntime.InferenceSession(path, options, providers=providers)
    return lambda inputs: session.run([OUTPUT], inputs)[0]


@contextlib.contextmanager
def _silent(name):
    """Inside, a logger tells nothing."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
