"""What computes a network for the `Restorer`: Keras or a converted graph.

An engine is called with a stage and arrays and returns an array. A stage is the whole
network, "call", or one of the three that some offer: "encode", "transform", "decode".
Keras computes any network on any device. The others compute on the processor, from a
graph that is converted once, compared with Keras and kept (`graph_cache`): onnxruntime,
OpenVINO, and "native", which is TensorFlow with the convolutions of `ops/cc`. Results
agree within one level of 255. What cannot be converted stays with Keras, which a
warning says in one line.
"""

from tf_defocus.restoration.engines.engine import (
    ENGINES,
    EngineError,
    EngineWarning,
    check_engine,
    create_engine,
)

__all__ = [
    "ENGINES",
    "EngineError",
    "EngineWarning",
    "check_engine",
    "create_engine",
]
