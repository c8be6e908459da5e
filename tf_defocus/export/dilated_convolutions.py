"""Dilated convolutions as one operation: those of the engines for restoring."""

from tf_defocus.restoration.engines.dilated_convolutions import joined

__all__ = ["joined"]
