"""The words for tensors in signatures."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

# An array, a tensor of the backend, or a symbolic one while Keras traces a network.
# The backends' own tensors have no class in common, so type checkers let all pass.
Tensor = np.ndarray | keras.KerasTensor | Any
Shape = Sequence[int | None]  # sizes of a tensor's axes, None where it is not known
