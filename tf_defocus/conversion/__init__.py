"""The authors' checkpoints, turned into weights of our models.

`load_official` takes tensors by their official names; the readers beside it open the
authors' files without unpickling them. One module per network says which tensor goes
where: its `assignments(model)` lists `Assignment`s, its `is_skipped(name, model)` names
what the model does not hold.
"""

import importlib
from collections.abc import Mapping

import keras
import numpy as np

from tf_defocus import models
from tf_defocus.conversion.assignment import Assignment, fill

# class in `tf_defocus.models` -> module of this room, imported when it is asked for
_MAPPINGS = {
    "BaMBNet": "bambnet",
    "BinaryNetwork": "dmenet",
    "BlurRadiusNetwork": "bambnet",
    "DDDNet": "dddnet",
    "DeepRFT": "deeprft",
    "DMENet": "dmenet",
    "DPDNet": "dpdnet",
    "DRBNet": "drbnet",
    "FeatureDiscriminator": "dmenet",
    "GKMNet": "gkmnet",
    "IFAN": "ifan",
    "INIKNet": "iniknet",
    "K3DN": "k3dn",
    "KPAC": "kpac",
    "LaKDNet": "lakdnet",
    "MDP": "mdp",
    "NRKNet": "nrknet",
    "RDPD": "rdpd",
    "ReblurringNetwork": "ifan",
    "Restormer": "restormer",
    "SRN": "srn",
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


def assignments_of(model: keras.Model) -> list[Assignment]:
    """Every official tensor of a model and the variable that takes it.

    Args:
        model: a built model of this package; its variables need no values.

    Returns:
        list of `Assignment`.

    Raises:
        ValueError: if the model has no official counterpart.
    """
    return list(_mapping(model).assignments(model))


def wanted_by(
    model: keras.Model, arrays: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The tensors without those of other parts that the model does not hold.

    Args:
        model: a built model of this package.
        arrays: mapping official name -> array.

    Returns:
        dict, official name -> array.
    """
    is_skipped = _mapping(model).is_skipped
    return {
        name: array
        for name, array in arrays.items()
        if not (isinstance(name, str) and is_skipped(name, model))
    }


def _mapping(model):
    name = type(model).__name__
    if name not in _MAPPINGS or type(model) is not getattr(models, name):
        raise ValueError(
            f"load_official knows the tensors of {sorted(_MAPPINGS)}. Received: {name}"
        )
    return importlib.import_module(f"{__name__}.{_MAPPINGS[name]}")
