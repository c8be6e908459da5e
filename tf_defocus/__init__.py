"""tf_defocus: removing defocus blur from photographs.

>>> restorer = tf_defocus.Restorer.from_preset("kpac_3level")
>>> deblurred = restorer.restore(blurred=photograph)

Names are imported when first used, so that the command line answers at once.
"""

import importlib

__version__ = "0.1.0"

# public name -> module that defines it; a module's own name stands for itself
_HOMES = {
    "Restorer": "restoration",
    "conversion": "conversion",
    "create_model": "models",
    "list_models": "models",
    "list_presets": "models.presets",
    "load_preset": "models.presets",
    "save_preset": "models.presets",
    "score": "evaluation.protocols",
    "weights": "models.weights",
}

__all__ = [
    "Restorer",
    "conversion",
    "create_model",
    "list_models",
    "list_presets",
    "load_preset",
    "save_preset",
    "score",
    "weights",
]


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module 'tf_defocus' has no attribute {name!r}")
    home = _HOMES[name]
    module = importlib.import_module(f"tf_defocus.{home}")
    return module if name == home.split(".")[-1] else getattr(module, name)
