"""The networks in PyTorch, on the weights of Keras models, to be timed beside them.

PyTorch is needed for nothing else. Each is written as one would write it there:
convolutions and their activations in place, normalisations by running statistics folded
into the convolutions before them.
"""

from .gkmnet import GKMNet
from .ifan import IFAN
from .k3dn import K3DN
from .kpac import KPAC

TWINS = {"GKMNet": GKMNet, "IFAN": IFAN, "K3DN": K3DN, "KPAC": KPAC}
