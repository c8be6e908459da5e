"""Networks as OpenVINO files, read from their ONNX form."""

import io
import os
import pathlib
import tempfile

from tf_defocus.export.onnx_graph import onnx_model
from tf_defocus.models.base import RestorationNetwork


def write_openvino(network: RestorationNetwork, path: str | os.PathLike) -> str:
    """Writes a network as a pair of OpenVINO files, float32.

    Inputs and output are those of `onnx_graph.write_onnx`. Processors that can compute
    in bfloat16 do so by default: compile with `{"INFERENCE_PRECISION_HINT": "f32"}`
    where numbers matter.

    Args:
        network: a network of `create_model` or `load_preset`, on TensorFlow.
        path: str or path of the `.xml`; the weights go beside it, to a `.bin`.

    Returns:
        str, the path.

    Raises:
        ValueError: if the network's result is no image, if the path has another ending,
            or if the network needs an operation that ONNX does not have.
        ModuleNotFoundError: if a package is not installed, with what to install.
    """
    path = pathlib.Path(path)
    if path.suffix != ".xml":
        raise ValueError(f"An OpenVINO file must end with .xml. Received: {path}")
    openvino = import_openvino()
    stream = io.BytesIO(onnx_model(network).SerializeToString())
    model = openvino.convert_model(stream)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as scratch:
        written = pathlib.Path(scratch) / path.name
        openvino.save_model(model, written, compress_to_fp16=False)
        os.replace(written.with_suffix(".bin"), path.with_suffix(".bin"))
        os.replace(written, path)
    return os.fspath(path)


def import_openvino():
    """The package; an error with what to install where it is missing."""
    try:
        import openvino
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'OpenVINO is not installed: pip install "tf-defocus[onnx,openvino]"'
        ) from error
    return openvino
