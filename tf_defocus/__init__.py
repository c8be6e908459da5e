"""tf_defocus: removing defocus blur from photographs."""

__version__ = "0.1.0"
