"""Networks as graphs for other runtimes, with certificates; what a graph costs."""

from tf_defocus.export.exporting import export_preset
from tf_defocus.export.litert_graph import write_litert
from tf_defocus.export.onnx_graph import write_onnx
from tf_defocus.export.openvino_graph import write_openvino
from tf_defocus.export.saved_model import (
    RestorationGraph,
    export_saved_model,
    measure_parity,
)

__all__ = [
    "RestorationGraph",
    "export_preset",
    "export_saved_model",
    "measure_parity",
    "write_litert",
    "write_onnx",
    "write_openvino",
]
