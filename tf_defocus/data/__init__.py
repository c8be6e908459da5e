"""From published files to training batches: readers, builders, arrays, crops."""
