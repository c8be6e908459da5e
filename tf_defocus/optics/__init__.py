"""The physics of defocus, in NumPy."""
