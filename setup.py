"""The one thing that pyproject.toml cannot say: a wheel holds the shipped weights."""

import hashlib
import json
import pathlib
import shutil

import setuptools
from setuptools.command.build_py import build_py

CHECKPOINTS = pathlib.Path(__file__).resolve().parent / "checkpoints"
SHIPPED = ("*.json", "*.md", "*.npz")


class BuildWithCheckpoints(build_py):
    """Copies `checkpoints/` into the package, so that a wheel restores photographs."""

    def run(self):
        check_checkpoints()
        super().run()
        if self.editable_mode:  # the folder is found beside the package
            return
        target = pathlib.Path(self.build_lib) / "tf_defocus" / "_checkpoints"
        target.mkdir(parents=True, exist_ok=True)
        for pattern in SHIPPED:
            for path in sorted(CHECKPOINTS.glob(pattern)):
                shutil.copy2(path, target / path.name)


def check_checkpoints():
    """Raises FileNotFoundError unless every preset of the manifest is there, whole."""
    manifest = CHECKPOINTS / "manifest.json"
    presets = json.loads(manifest.read_text())["presets"] if manifest.is_file() else {}
    if not presets:
        raise FileNotFoundError(f"{manifest} lists no preset; build from a whole tree")
    for name, preset in presets.items():
        path = CHECKPOINTS / preset["file"]
        content = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(content).hexdigest() != preset["sha256"]:
            raise FileNotFoundError(
                f"{path}, preset {name}, is missing or damaged; build from a whole tree"
            )


setuptools.setup(cmdclass={"build_py": BuildWithCheckpoints})
