"""tf_defocus: removing defocus blur from photographs."""

from tf_defocus import conversion, weights
from tf_defocus.models import create_model, list_models
from tf_defocus.protocols import score

__version__ = "0.1.0"
