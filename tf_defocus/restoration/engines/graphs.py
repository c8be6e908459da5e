"""A stage of a network as a TensorFlow graph that converters can read.

Sizes and the batch are free, weights are constants, and every operation is an ordinary
one.
"""

import contextlib
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import convert_to_constants

from tf_defocus.models.base import RestorationNetwork
from tf_defocus.ops.adaptive_convolution import portable
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
    with contextlib.ExitStack() as stack:
        if ordinary:
            stack.enter_context(portable())
            stack.enter_context(without_loops())
        traced = tf.function(compute, autograph=False).get_concrete_function(**specs)
    frozen = convert_to_constants.convert_variables_to_constants_v2(traced)
    return dilated_convolutions.joined(frozen.graph.as_graph_def())
