"""Fixtures of all tests: quiet TensorFlow, one seed, small thread pools."""

import os
import shutil

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pytest

from tf_defocus import losses


@pytest.fixture(autouse=True)
def seed():
    """Starts every test from the same random state, whatever ran before it."""
    keras.utils.set_random_seed(20_210_816)


@pytest.fixture
def rng():
    """A NumPy generator with a fixed seed."""
    return np.random.default_rng(7)


@pytest.fixture(scope="session")
def vgg_weights():
    """Random weights of VGG-19, whose features neither vanish nor explode."""
    rng, weights, channels = np.random.default_rng(3), {}, 3
    for block, widths in enumerate(losses.VGG19_BLOCKS, 1):
        for index, width in enumerate(widths, 1):
            scale = np.sqrt(2 / (9 * channels))
            kernel = rng.normal(0, scale, (3, 3, channels, width)).astype("float32")
            bias = rng.normal(0, 0.1, width).astype("float32")
            weights[f"conv{block}_{index}"] = kernel, bias
            channels = width
    return weights


@pytest.fixture(scope="session")
def vgg_file(vgg_weights, tmp_path_factory):
    """A file of them, as `PerceptualLoss` reads."""
    path = tmp_path_factory.mktemp("vgg") / "vgg19.npz"
    arrays = {}
    for name, (kernel, bias) in vgg_weights.items():
        arrays[f"{name}/kernel"], arrays[f"{name}/bias"] = kernel, bias
    np.savez(path, **arrays)
    return str(path)


@pytest.fixture(scope="module")
def browser():
    """Chromium of the system, driven by playwright."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="pip install playwright"
    )
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if not program:
        pytest.skip("needs a browser: apt-get install chromium")
    with playwright.sync_playwright() as started:
        yield started.chromium.launch(executable_path=program, args=["--no-sandbox"])
