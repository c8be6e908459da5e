"""The authors' checkpoints, turned into weights of our models.

`load_official` takes tensors by their official names; the readers beside it open the
authors' files without unpickling them. One module per network says which tensor goes
where: its `assignments(model)` lists `Assignment`s, its `is_skipped(name, model)` names
what the model does not hold.
"""

from collections.abc import Mapping

import keras
import numpy as np

from tf_defocus.conversion import (
    bambnet,
    dddnet,
    deeprft,
    dmenet,
    dpdnet,
    drbnet,
    gkmnet,
    ifan,
    iniknet,
    k3dn,
    kpac,
    lakdnet,
    mdp,
    nrknet,
    rdpd,
    restormer,
    srn,
)
from tf_defocus.conversion.assignment import fill
from tf_defocus.models.bambnet import BaMBNet, BlurRadiusNetwork
from tf_defocus.models.dddnet import DDDNet
from tf_defocus.models.deeprft import DeepRFT
from tf_defocus.models.dmenet import DMENet
from tf_defocus.models.dmenet_domains import BinaryNetwork, FeatureDiscriminator
from tf_defocus.models.dpdnet import DPDNet
from tf_defocus.models.drbnet import DRBNet
from tf_defocus.models.gkmnet import GKMNet
from tf_defocus.models.ifan import IFAN, ReblurringNetwork
from tf_defocus.models.iniknet import INIKNet
from tf_defocus.models.k3dn import K3DN
from tf_defocus.models.kpac import KPAC
from tf_defocus.models.lakdnet import LaKDNet
from tf_defocus.models.mdp import MDP
from tf_defocus.models.nrknet import NRKNet
from tf_defocus.models.rdpd import RDPD
from tf_defocus.models.restormer import Restormer
from tf_defocus.models.srn import SRN

_MAPPINGS = {
    BinaryNetwork: dmenet,
    DMENet: dmenet,
    BaMBNet: bambnet,
    BlurRadiusNetwork: bambnet,
    DDDNet: dddnet,
    DeepRFT: deeprft,
    DPDNet: dpdnet,
    FeatureDiscriminator: dmenet,
    DRBNet: drbnet,
    GKMNet: gkmnet,
    IFAN: ifan,
    INIKNet: iniknet,
    K3DN: k3dn,
    KPAC: kpac,
    LaKDNet: lakdnet,
    MDP: mdp,
    NRKNet: nrknet,
    RDPD: rdpd,
    SRN: srn,
    ReblurringNetwork: ifan,
    Restormer: restormer,
}


def load_official(model: keras.Model, arrays: Mapping[str, np.ndarray]) -> None:
    """Fills a model with the authors' tensors.

    Args:
        model: a built model of this package, usually `variant="released"`.
        arrays: mapping official name -> array in the official layout.

    Raises:
        ValueError: if a tensor is missing, misshapen or left over, or if the model's
            class has no official counterpart.
    """
    fill(assignments_of(model), wanted_by(model, arrays))


def assignments_of(model):
    """Every official tensor of a model and the variable that takes it.

    Args:
        model: a built model of this package; its variables need no values.

    Returns:
        list of `Assignment`.

    Raises:
        ValueError: if the model has no official counterpart.
    """
    return list(_mapping(model).assignments(model))


def wanted_by(model, arrays):
    """The tensors without those of other parts that the model does not hold."""
    is_skipped = _mapping(model).is_skipped
    return {
        name: array
        for name, array in arrays.items()
        if not (isinstance(name, str) and is_skipped(name, model))
    }


def _mapping(model):
    mapping = _MAPPINGS.get(type(model))
    if mapping is None:
        raise ValueError(
            "load_official knows the tensors of "
            f"{sorted(c.__name__ for c in _MAPPINGS)}. Received: "
            f"{type(model).__name__}"
        )
    return mapping
