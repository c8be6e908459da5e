"""A photograph in, a photograph out: pad, tile, run, blend; whole folders, too."""

from tf_defocus.restoration.restorer import Restorer

__all__ = ["Restorer"]
