"""Arrays that stay in their file until they are used.

A file of weights is as large as the network: whoever passes its tensors on one by one
need not hold all of them.
"""

import numpy as np


class StoredArray:
    """An array whose shape and type are known and whose numbers lie in a file.

    NumPy reads them wherever it takes an array, anew each time.

    Args:
        shape: tuple of int.
        dtype: of `numpy.dtype`.
        read: function without arguments, which gives the array or raises `ValueError`.
    """

    def __init__(self, shape, dtype, read):
        self.shape = tuple(shape)
        self.dtype = np.dtype(dtype)
        self._read = read

    def __array__(self, dtype=None, copy=None):
        del copy  # what was read is nobody else's
        return np.asarray(self._read(), dtype)
