"""One loop for every network: tasks, steps per backend, checkpoints, validation."""

from tf_defocus.training.loop import train

__all__ = ["train"]
