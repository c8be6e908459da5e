"""A photograph in, a photograph out: pad, tile, run, blend; whole folders, too."""

import lazy_loader

# Which photographs are meant is found out without Keras.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={"restorer": ["Restorer"]}
)
