"""One loop for every network: tasks, steps per backend, checkpoints, validation.

Names are imported when first used: which worker this is, is known without Keras.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
