"""Networks as LiteRT files, formerly TensorFlow Lite."""

import contextlib
import os
import re
import sys
from collections.abc import Sequence

import tensorflow as tf

from tf_defocus import whole_files
from tf_defocus.export.portable_graph import OUTPUT, frozen_graph
from tf_defocus.models.base import RestorationNetwork
from tf_defocus.ops.tensor import Tensor


def write_litert(
    network: RestorationNetwork,
    path: str | os.PathLike,
    precision: str = "float32",
    signature: str = "float32",
    calibration: Sequence[dict[str, Tensor]] = (),
) -> str:
    """Writes a network as a LiteRT file.

    Inputs and output are those of `onnx_graph.write_onnx`. An interpreter is told the
    size of the images by `resize_tensor_input`, in any batch.

    Args:
        network, path, signature, calibration: of `onnx_graph.write_onnx`.
        precision: "float32"; "float16", the weights' alone; or "int8", where every
            operation that has them computes with integers.

    Returns:
        str, the path.

    Raises:
        ValueError: if the network's result is no image, or if it needs an operation
            that LiteRT does not have.
    """
    graph = frozen_graph(network, signature)
    converter = converter_of(graph, network.view_names, OUTPUT)
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision == "int8":
        names, levels = network.view_names, 255 if signature == "uint8" else 1
        converter.representative_dataset = lambda: (
            [(levels * views[name]).astype(signature) for name in names]
            for views in calibration
        )
    try:
        with _silent():
            content = converter.convert()
    except Exception as error:  # the converter has many, and long ones
        said = re.search(r"error: ('[^\n]*)", str(error))
        reason = " ".join((said.group(1) if said else str(error)).split())[:200]
        raise ValueError(f"LiteRT cannot hold {network.name}: {reason}") from error
    with whole_files.open_whole(path) as file:
        file.write(content)
    return os.fspath(path)


def converter_of(
    graph: tf.compat.v1.GraphDef, inputs: Sequence[str], output: str
) -> tf.lite.TFLiteConverter:
    """LiteRT's converter of a frozen graph.

    Args:
        graph: of `graphs.frozen_function`.
        inputs: names of its placeholders, in the order of the file's inputs.
        output: name of its result.
    """
    wrapped = tf.compat.v1.wrap_function(
        lambda: tf.compat.v1.import_graph_def(graph, name=""), []
    )
    tensor = wrapped.graph.get_tensor_by_name
    function = wrapped.prune([tensor(f"{n}:0") for n in inputs], tensor(f"{output}:0"))
    return tf.lite.TFLiteConverter.from_concrete_functions([function])


@contextlib.contextmanager
def _silent():
    """Inside, nothing is said: the converter's C++ tells of every operation."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
