"""tf_defocus: removing defocus blur from photographs.

>>> restorer = tf_defocus.Restorer.from_preset("kpac_3level")
>>> deblurred = restorer.restore(blurred=photograph)

The names stand in `__init__.pyi`; each is imported when it is first used, so that the
command line answers at once.
"""

import sys

import lazy_loader

__version__ = "0.2.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

# Whoever imported Keras may load a network from its file: our classes must be known.
if "keras" in sys.modules:
    from tf_defocus import saved_models  # noqa: F401
