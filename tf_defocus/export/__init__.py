"""Networks as graphs: SavedModels that need TensorFlow alone; what a graph costs."""

from tf_defocus.export.saved_model import (
    RestorationGraph,
    export_saved_model,
    measure_parity,
)

__all__ = ["RestorationGraph", "export_saved_model", "measure_parity"]
