"""Networks as ONNX files: for onnxruntime, OpenVINO and what else reads them."""

import logging
import os
from typing import Any

from tf_defocus import whole_files
from tf_defocus.export.portable_graph import OUTPUT, frozen_graph
from tf_defocus.models.base import RestorationNetwork

OPSET = 17


def write_onnx(network: RestorationNetwork, path: str | os.PathLike) -> str:
    """Writes a network as an ONNX file.

    The graph takes float32 (batch, height, width, 3) in [0, 1], one input per view,
    named as the views, all alike in size; every size is free. Its only output,
    `deblurred`, is the same, clipped to [0, 1]. It mirrors the borders as the
    `Restorer` does and restores the image whole, never in tiles.

    Args:
        network: a network of `create_model` or `load_preset`, on TensorFlow.
        path: str or path of the file; its folder must exist.

    Returns:
        str, the path.

    Raises:
        ValueError: if the network's result is no image, or if it needs an operation
            that ONNX does not have, by name.
        ModuleNotFoundError: if tf2onnx is not installed, with what to install.
    """
    proto = onnx_model(network)
    with whole_files.open_whole(path) as file:
        file.write(proto.SerializeToString())
    return os.fspath(path)


def onnx_model(network: RestorationNetwork) -> Any:
    """The `onnx.ModelProto` of a network; see `write_onnx`."""
    tf2onnx = _import_tf2onnx()
    graph = frozen_graph(network)
    names = {f"{name}:0": name for name in (*network.view_names, OUTPUT)}
    proto, _ = tf2onnx.convert.from_graph_def(
        graph,
        name=network.name,
        input_names=[f"{name}:0" for name in network.view_names],
        output_names=[f"{OUTPUT}:0"],
        tensors_to_rename=names,
        opset=OPSET,
    )
    _check_operations(proto, network)
    return proto


def _import_tf2onnx():
    try:
        import tf2onnx.convert
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"An ONNX file needs {error.name}, which is not installed: "
            'pip install "tf-defocus[onnx]"'
        ) from error
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)  # it tells of every pass
    return tf2onnx


def _check_operations(proto, network):
    """tf2onnx leaves in the file, under TensorFlow's name, what it cannot convert."""
    import onnx

    known = {schema.name for schema in onnx.defs.get_all_schemas()}
    unknown = {node.op_type for node in proto.graph.node} - known
    if unknown:
        raise ValueError(
            f"{network.name} needs operations that ONNX does not have: "
            f"{', '.join(sorted(unknown))}; export it as a SavedModel"
        )
