"""Stages of networks in OpenVINO."""

import os
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np

from tf_defocus.restoration.engines import error_functions
from tf_defocus.restoration.engines.stages import OUTPUT

PACKAGES = ("openvino",)
EXTRA = "openvino"
PRECISIONS = ("float32", "bfloat16")
PORTABLE = True  # the graph holds ordinary operations alone
FILE = "graph.xml"
_HINTS = {"float32": "f32", "bfloat16": "bf16"}


def convert(graph, inputs: dict[str, np.ndarray], folder: pathlib.Path) -> None:
    """Writes a graph as `graph.xml` and `graph.bin`.

    Args:
        graph: `GraphDef` of `graphs.frozen_stage`.
        inputs: dict, of its placeholders' names.
        folder: where the files are written.

    Raises:
        RuntimeError: if OpenVINO cannot read an operation.
    """
    import openvino

    model = openvino_model(graph, OUTPUT)
    openvino.save_model(model, os.fspath(folder / FILE), compress_to_fp16=False)


def openvino_model(graph, output: str) -> Any:
    """A graph as `openvino.Model`.

    Args:
        graph: `GraphDef` without variables.
        output: name of the node that is its result, and of the output.

    Raises:
        RuntimeError: if OpenVINO cannot read an operation.
    """
    import openvino
    import tensorflow as tf

    with tf.Graph().as_default() as imported:
        tf.import_graph_def(error_functions.without_complement(graph), name="")
    model = openvino.convert_model(imported)
    for port in model.inputs:  # named as TensorFlow's tensors, "blurred:0"
        port.get_tensor().set_names({port.any_name.partition(":")[0]})
    model.outputs[0].get_tensor().set_names({output})
    return model


def load(folder: pathlib.Path, precision: str, threads: int) -> Callable:
    """A converted stage, ready to run.

    Args:
        folder: with the files that `convert` wrote.
        precision: "float32" or "bfloat16", in which it computes.
        threads: int, how many compute.

    Returns:
        Function of a dict of arrays that returns an array.
    """
    import openvino

    settings = {
        # Left to itself it takes bfloat16 where the processor has it.
        "INFERENCE_PRECISION_HINT": _HINTS[precision],
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
    }
    path = os.fspath(folder / FILE)
    compiled = openvino.Core().compile_model(path, "CPU", settings)
    return lambda inputs: np.array(compiled(inputs)[0])
