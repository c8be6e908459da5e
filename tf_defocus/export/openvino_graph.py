"""Networks as OpenVINO files."""

import io
import os
import pathlib
import tempfile
from collections.abc import Sequence

from tf_defocus.export.onnx_graph import onnx_model
from tf_defocus.export.portable_graph import OUTPUT, frozen_graph
from tf_defocus.models.base import RestorationNetwork
from tf_defocus.ops.tensor import Tensor
from tf_defocus.restoration.engines.openvino_runtime import openvino_model


def write_openvino(
    network: RestorationNetwork,
    path: str | os.PathLike,
    precision: str = "float32",
    signature: str = "float32",
    calibration: Sequence[dict[str, Tensor]] = (),
) -> str:
    """Writes a network as a pair of OpenVINO files.

    Inputs and output are those of `onnx_graph.write_onnx`. Processors that can compute
    in bfloat16 do so by default: compile with `{"INFERENCE_PRECISION_HINT": "f32"}`
    where numbers matter.

    Args:
        network: a network of `create_model` or `load_preset`, on TensorFlow.
        path: str or path of the `.xml`; the weights go beside it, to a `.bin`.
        precision: "float32"; "float16", the weights' alone; "bfloat16", float32 files
            to be compiled with the hint `bf16`; "int8".
        signature, calibration: of `onnx_graph.write_onnx`.

    Returns:
        str, the path.

    Raises:
        ValueError: if the network's result is no image, if the path has another ending,
            or if the network needs an operation that OpenVINO, or for "int8" ONNX, does
            not have.
        ModuleNotFoundError: if a package of the extra openvino is missing; for "int8"
            of the extra onnx.
    """
    import openvino

    path = pathlib.Path(path)
    if path.suffix != ".xml":
        raise ValueError(f"An OpenVINO file must end with .xml. Received: {path}")
    try:
        if precision == "int8":  # onnxruntime reads the ranges
            proto = onnx_model(network, precision, signature, calibration)
            model = openvino.convert_model(io.BytesIO(proto.SerializeToString()))
        else:
            model = openvino_model(frozen_graph(network, signature), OUTPUT)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"OpenVINO cannot hold {network.name}: {reason}") from error
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as scratch:
        written = pathlib.Path(scratch) / path.name
        openvino.save_model(model, written, compress_to_fp16=precision == "float16")
        os.replace(written.with_suffix(".bin"), path.with_suffix(".bin"))
        os.replace(written, path)
    return os.fspath(path)
