"""From published files to training batches: readers, builders, arrays, crops."""

from tf_defocus.data.arrays import StoredArrays, store_arrays
from tf_defocus.data.batches import make_batch
from tf_defocus.data.builders import load_builder, load_examples

__all__ = [
    "StoredArrays",
    "load_builder",
    "load_examples",
    "make_batch",
    "store_arrays",
]
