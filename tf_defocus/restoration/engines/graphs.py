"""Functions as TensorFlow graphs that converters can read.

Sizes and the batch are free, weights are constants, and every operation is one that
other runtimes have.
"""

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import convert_to_constants

from tf_defocus.models.base import RestorationNetwork
from tf_defocus.ops.adaptive_convolution import portable
from tf_defocus.ops.image_spectrum import as_products
from tf_defocus.ops.local_correlation import native_correlation
from tf_defocus.ops.strips import without_loops
from tf_defocus.restoration.engines import dilated_convolutions
from tf_defocus.restoration.engines.stages import (
    OUTPUT,
    nested_inputs,
    stage_function,
)


def frozen_stage(
    network: RestorationNetwork,
    stage: str,
    options: dict[str, Any],
    inputs: dict[str, np.ndarray],
    ordinary: bool = True,
) -> tf.compat.v1.GraphDef:
    """The graph of a stage.

    Args:
        network, stage, options: see `stages.stage_function`.
        inputs: dict, name -> (batch, height, width, channels), of `stages.flat_inputs`;
            their channels and dtypes count.
        ordinary: bool; False allows what only TensorFlow has: loops, and operations
            that are loaded into it.

    Returns:
        `GraphDef`, with one placeholder per input, of its name, and the node `OUTPUT`.
    """
    function = stage_function(network, stage, options)

    def compute(**tensors):
        return tf.identity(function(**nested_inputs(tensors)), name=OUTPUT)

    specs = {
        name: tf.TensorSpec((None, None, None, value.shape[-1]), value.dtype, name)
        for name, value in inputs.items()
    }
    return frozen_function(compute, specs, ordinary)


def frozen_function(
    function: Callable[..., tf.Tensor],
    specs: dict[str, tf.TensorSpec],
    ordinary: bool = True,
) -> tf.compat.v1.GraphDef:
    """The graph of a function with its weights as constants.

    Args:
        function: called with a tensor per spec, by name.
        specs: dict, name -> `tf.TensorSpec` of that name.
        ordinary: of `frozen_stage`.

    Returns:
        `GraphDef`, with one placeholder per spec, of its name.
    """
    with contextlib.ExitStack() as stack:
        limits = portable(), without_loops(), as_products()
        for context in limits if ordinary else (native_correlation(),):
            stack.enter_context(context)
        traced = tf.function(function, autograph=False).get_concrete_function(**specs)
    frozen = convert_to_constants.convert_variables_to_constants_v2(traced)
    return dilated_convolutions.joined(frozen.graph.as_graph_def())
