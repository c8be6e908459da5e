"""Fixtures of all tests: quiet TensorFlow, one seed, small thread pools."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pytest


@pytest.fixture(autouse=True)
def seed():
    """Starts every test from the same random state, whatever ran before it."""
    keras.utils.set_random_seed(20_210_816)


@pytest.fixture
def rng():
    """A NumPy generator with a fixed seed."""
    return np.random.default_rng(7)
