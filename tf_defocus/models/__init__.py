"""What a network must offer (`base`), the networks by name, their weights and presets.

Names are imported when first used: presets are listed without Keras.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
