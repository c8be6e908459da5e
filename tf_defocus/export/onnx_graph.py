"""Networks as ONNX files: for onnxruntime, OpenVINO and what else reads them."""

import os
import pathlib
import tempfile
from collections.abc import Sequence
from typing import Any

from tf_defocus import whole_files
from tf_defocus.export.portable_graph import OUTPUT, frozen_graph
from tf_defocus.models.base import RestorationNetwork
from tf_defocus.ops.tensor import Tensor
from tf_defocus.restoration.engines.onnx_runtime import onnx_proto


def write_onnx(
    network: RestorationNetwork,
    path: str | os.PathLike,
    precision: str = "float32",
    signature: str = "float32",
    calibration: Sequence[dict[str, Tensor]] = (),
) -> str:
    """Writes a network as an ONNX file.

    The graph takes images (batch, height, width, 3), one input per view, named as the
    views, all alike in size; every size is free. Its only output, `deblurred`, is the
    same. It mirrors the borders as the `Restorer` does and restores the image whole,
    never in tiles.

    Args:
        network: a network of `create_model` or `load_preset`, on TensorFlow.
        path: str or path of the file; its folder must exist.
        precision: "int8", or else the network's own, by its `dtype_policy`: see
            `models.precision.copy_in`.
        signature: dtype of the images: "float32" in [0, 1], clipped, or "uint8".
        calibration: for "int8", views (batch, height, width, 3) to read ranges from,
            float32 in [0, 1].

    Returns:
        str, the path.

    Raises:
        ValueError: if the network's result is no image, or if it needs an operation
            that ONNX does not have, by name.
        ModuleNotFoundError: if a package of the extra onnx is missing.
    """
    proto = onnx_model(network, precision, signature, calibration)
    with whole_files.open_whole(path) as file:
        file.write(proto.SerializeToString())
    return os.fspath(path)


def onnx_model(
    network: RestorationNetwork,
    precision: str = "float32",
    signature: str = "float32",
    calibration: Sequence[dict[str, Tensor]] = (),
) -> Any:
    """The `onnx.ModelProto` of a network; see `write_onnx`."""
    graph = frozen_graph(network, signature)
    try:
        proto = onnx_proto(graph, network.view_names, OUTPUT)
    except ValueError as error:
        raise ValueError(f"ONNX cannot hold {network.name}: {error}") from error
    if precision == "int8":
        return _in_integers(proto, signature, calibration)
    return proto


def _in_integers(proto, signature, calibration):
    """Convolutions in 8 bits, with the ranges of what the calibration makes them."""
    import onnx
    from onnxruntime import quantization

    with tempfile.TemporaryDirectory() as scratch:
        source, target = (
            pathlib.Path(scratch) / n for n in ("float.onnx", "int8.onnx")
        )
        source.write_bytes(proto.SerializeToString())
        quantization.quantize_static(
            source,
            target,
            _Reader(calibration, signature),
            op_types_to_quantize=["Conv"],
            per_channel=True,
            reduce_range=True,  # sums of products of 8 bits overflow without VNNI
        )
        return onnx.load(target)


class _Reader:
    """Calibration views, one call after another, as onnxruntime asks for them."""

    def __init__(self, calibration, signature):
        levels = 255 if signature == "uint8" else 1
        self.waiting = iter(
            {name: (levels * view).astype(signature) for name, view in views.items()}
            for views in calibration
        )

    def get_next(self):
        """The next dict of views, or None."""
        return next(self.waiting, None)
