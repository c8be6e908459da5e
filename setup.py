"""Packaging: metadata, dependencies, and the shipped weights inside the wheel."""

import pathlib
import re
import shutil

import setuptools
from setuptools.command.build_py import build_py

ROOT = pathlib.Path(__file__).resolve().parent
SHIPPED = ("*.json", "*.md", "*.npz")
DATA = ["importlib_resources", "tensorflow-datasets>=4.9.9"]


class BuildWithCheckpoints(build_py):
    """Copies `checkpoints/` into the package, so that a wheel restores photographs."""

    def run(self):
        super().run()
        target = pathlib.Path(self.build_lib) / "tf_defocus" / "_checkpoints"
        if self.editable_mode or not (ROOT / "checkpoints").is_dir():
            return
        target.mkdir(parents=True, exist_ok=True)
        for pattern in SHIPPED:
            for path in sorted((ROOT / "checkpoints").glob(pattern)):
                shutil.copy2(path, target / path.name)


def version():
    """The package's `__version__`, without importing it."""
    text = (ROOT / "tf_defocus" / "__init__.py").read_text()
    return re.search(r'__version__ = "([^"]+)"', text).group(1)


setuptools.setup(
    name="tf-defocus",
    version=version(),
    description="Removing defocus blur from photographs, in TensorFlow and Keras",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=setuptools.find_packages(include=["tf_defocus", "tf_defocus.*"]),
    package_data={"tf_defocus": ["ops/cc/*", "py.typed", "*.pyi", "*/*.pyi"]},
    cmdclass={"build_py": BuildWithCheckpoints},
    python_requires=">=3.10",
    install_requires=[
        "absl-py",
        "h5py",
        "imageio",
        "keras>=3.15,<3.16",
        "lazy-loader>=0.4",
        "numpy>=1.26",
        "opencv-python-headless",
        "Pillow",
        "scikit-image",
        "scipy",
        "tensorflow>=2.21,<2.22",
        "tqdm",
    ],
    extras_require={
        "data": DATA,
        # mlcroissant: the command `tfds build` does not start without it.
        "beam": [*DATA, "apache-beam", "mlcroissant", "python-dateutil<3"],
        "train": [*DATA, "tensorboard"],
        "jax": ["jax"],
        "dev": [
            *DATA,
            "dill",
            "jax",
            "pre-commit",
            "pytest",
            "pytest-xdist",
            "ruff",
            "tensorboard",
            "tifffile",
        ],
    },
    entry_points={"console_scripts": ["tf-defocus = tf_defocus.cli:main"]},
)
