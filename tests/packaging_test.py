"""What is built holds what it should: a wheel from the sdist restores a photograph."""

import os
import shutil
import subprocess
import sys
import tarfile

import numpy as np
import pytest
import setuptools.config.pyprojecttoml as pyprojecttoml

import tf_defocus
from tests.testing import ROOT
from tf_defocus.cli.deblur import DEFAULT_PRESET
from tf_defocus.images.files import Image, read_image, write_image

LEFT_OUT = shutil.ignore_patterns(
    ".*", "results", "runs", "build", "dist", "*.egg-info", "__pycache__", "*.so"
)
SDIST = "import setuptools.build_meta as backend; backend.build_sdist('dist')"


def run(*command, cwd, check=True, **variables):
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=cwd,
        env=os.environ | variables,
        capture_output=True,
        text=True,
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def make_wheel(source, target, check=True):
    """Builds with the installed setuptools: nothing is fetched."""
    options = ("--no-deps", "--no-build-isolation", "--no-index", "-w", target)
    return run("-m", "pip", "wheel", "-q", *options, source, cwd=source, check=check)


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    """The unpacked sdist of this tree."""
    folder = tmp_path_factory.mktemp("sdist")
    source = folder / "source"
    shutil.copytree(ROOT, source, ignore=LEFT_OUT)
    run("-c", SDIST, cwd=source)
    (archive,) = (source / "dist").glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


@pytest.mark.slow
def test_the_sdist_holds_the_whole_project(sdist):
    for name in (
        "checkpoints/manifest.json",
        "checkpoints/kpac_3level.npz",
        "checkpoints/kpac_3level.md",
        "CITATION.cff",
        "constraints.txt",
        "datasets/dpdd/splits/test.txt",
        "docs/before_after.jpg",
        "LICENSE",
        "Makefile",
        "tests/goldens/kpac.npz",
        "tests/packaging_test.py",
        "tf_defocus/__init__.pyi",
        "tf_defocus/models/__init__.pyi",
        "tf_defocus/ops/cc/adaptive_convolution_ops.cc",
        "tf_defocus/py.typed",
        "tools/benchmark/network.py",
        "tools/demo.py",
    ):
        assert (sdist / name).is_file(), name


@pytest.mark.slow
def test_a_wheel_of_the_sdist_restores_a_photograph(sdist, tmp_path, rng):
    make_wheel(sdist, tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.stat().st_size > 10e6
    site = tmp_path / "site"
    options = ("--no-deps", "--no-index", "--target", site)
    run("-m", "pip", "install", "-q", *options, wheel, cwd=tmp_path)
    there = {"PYTHONPATH": str(site)}
    shown = "import tf_defocus; print(tf_defocus.__file__)"
    place = run("-c", shown, cwd=tmp_path, **there).stdout
    assert place.startswith(str(site))
    pixels = rng.integers(0, 256, (40, 56, 3), np.uint8)
    write_image(tmp_path / "a.png", Image(pixels))
    arguments = ("deblur", "-q", "-i", "a.png", "-o", "out")
    done = run("-m", "tf_defocus", *arguments, cwd=tmp_path, **there)
    assert done.stdout == "1 restored\n"
    actual = read_image(tmp_path / "out" / "a.png").pixels
    restorer = tf_defocus.Restorer.from_preset(DEFAULT_PRESET)
    expected = restorer.restore(blurred=pixels)
    assert np.abs(actual.astype(int) - expected).max() <= 1
    assert (actual != pixels).any()


@pytest.mark.slow
def test_a_build_without_weights_fails(sdist, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(sdist, source)
    (source / "checkpoints" / "kpac_3level.npz").write_bytes(b"cut off")
    done = make_wheel(source, tmp_path, check=False)
    assert done.returncode != 0
    assert "kpac_3level, is missing or damaged" in done.stdout + done.stderr
    shutil.rmtree(source / "checkpoints")
    done = make_wheel(source, tmp_path, check=False)
    assert "lists no preset; build from a whole tree" in done.stdout + done.stderr
    assert not list(tmp_path.glob("*.whl"))


def test_the_citation_names_this_version():
    project = (ROOT / "CITATION.cff").read_text()
    assert f"\nversion: {tf_defocus.__version__}\n" in project


def test_the_extras_are_those_that_messages_name():
    from tf_defocus.commands import EXTRAS

    content = pyprojecttoml.load_file(ROOT / "pyproject.toml")["project"]
    extras = content["optional-dependencies"]
    assert set(EXTRAS.values()) <= set(extras)
    assert not any("tensorflow" in wanted for wanted in content["dependencies"])
