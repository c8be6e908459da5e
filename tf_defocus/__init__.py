"""tf_defocus: removing defocus blur from photographs.

>>> restorer = tf_defocus.Restorer.from_preset("kpac_3level")
>>> deblurred = restorer.restore(blurred=photograph)
"""

from tf_defocus import conversion, weights
from tf_defocus.models import create_model, list_models
from tf_defocus.presets import list_presets, load_preset, save_preset
from tf_defocus.protocols import score
from tf_defocus.restoration import Restorer

__version__ = "0.1.0"

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
