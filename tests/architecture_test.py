"""The arrows between the rooms point one way, and TensorFlow stays in its rooms."""

import ast
import os
import re
import subprocess
import sys

import pytest

from tests.testing import ROOT

PACKAGE = ROOT / "tf_defocus"
TENSORFLOW_ROOMS = {"serving", "export"}
MAX_LINES = 400  # of a file; most have 250 at most

# room -> rooms of this package it may import (itself is always allowed); every room
# stands here
BASE = {"whole_files", "array_files", "markdown_table"}
NETWORKS = {"ops", "layers", "models"}
SCORES = {"losses", "metrics"}
ARROWS = {
    "whole_files": set(),
    "array_files": set(),
    "markdown_table": {"whole_files"},
    "commands": set(),
    "ops": set(),
    "configs": set(),
    "layers": {"ops"},
    "losses": BASE | {"ops"},
    "metrics": {"ops"},
    "optimizers": {"ops"},
    "optics": {"ops"},
    "synthesis": {"optics"},
    "deconvolution": {"ops", "optics"},
    "images": BASE,
    "models": BASE | {"ops", "layers"},
    "conversion": BASE | NETWORKS,
    "data": BASE | {"configs", "images"},
    "restoration": BASE | NETWORKS | {"optics", "images"},
    "serving": {"commands", "images", "restoration", "export"},
    "saved_models": NETWORKS | SCORES | {"deconvolution", "optimizers"},
    "training": BASE | NETWORKS | SCORES | {"configs", "optimizers", "data"},
    "evaluation": BASE
    | NETWORKS
    | SCORES
    | {"conversion", "optics", "synthesis", "deconvolution", "images", "data"}
    | {"restoration"},
    "export": BASE | NETWORKS | {"metrics", "images", "restoration", "evaluation"},
    "reports": BASE
    | NETWORKS
    | SCORES
    | {"commands", "configs", "conversion", "optics", "synthesis", "images", "data"}
    | {"restoration", "evaluation", "export"},
    "__main__": {"cli"},
    "cli": BASE
    | {"commands", "conversion", "images", "models", "ops", "restoration", "export"}
    | {"reports"},
}
EXTERNAL = {"configs": set()}  # rooms that may import the standard library only


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path, path.relative_to(PACKAGE)


def imports(path):
    """Every imported module name, deferred imports included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.module == "tf_defocus":
                yield from (f"tf_defocus.{alias.name}" for alias in node.names)
            else:
                yield node.module


def room(relative):
    return relative.parts[0].removesuffix(".py")


def test_arrows_point_one_way():
    wrong = []
    for path, relative in modules():
        if room(relative) == "__init__":
            continue
        allowed = ARROWS[room(relative)]
        for name in imports(path):
            parts = name.split(".")
            if parts[0] != "tf_defocus" or parts[1:] in ([], ["__version__"]):
                continue
            if parts[1] not in allowed | {room(relative)}:
                wrong.append(f"{relative} imports {name}")
    assert not wrong


def test_rooms_are_few_and_files_short():
    """A newcomer reads the list of rooms at one glance, and a file at one sitting."""
    rooms = {room(relative) for _, relative in modules()} - {"__init__"}
    assert rooms == set(ARROWS) and len(rooms) <= 26
    folders = (PACKAGE, ROOT / "tools", ROOT / "datasets", ROOT / "tests")
    paths = [path for folder in folders for path in folder.rglob("*.py")]
    long = [p for p in paths if len(p.read_text().splitlines()) > MAX_LINES]
    assert not long


def test_tensorflow_stays_in_its_rooms():
    wrong = [
        str(relative)
        for path, relative in modules()
        for name in imports(path)
        if name.split(".")[0] == "tensorflow"
        and not (room(relative) in TENSORFLOW_ROOMS or "engines" in relative.parts)
        and not relative.stem.endswith(("_native", "tensorflow_step"))
        and relative.parts[:2] not in (("ops", "build.py"), ("data", "tfdata.py"))
    ]
    assert not wrong


def test_configs_import_the_standard_library_only():
    wrong = [
        f"{relative} imports {name}"
        for path, relative in modules()
        if room(relative) == "configs"
        for name in imports(path)
        if name.split(".")[0] not in sys.stdlib_module_names | {"tf_defocus"}
    ]
    assert not wrong


def test_nothing_imports_tools_tests_or_datasets():
    wrong = [
        f"{relative} imports {name}"
        for path, relative in modules()
        for name in imports(path)
        if name.split(".")[0] in ("tools", "tests", "datasets")
    ]
    assert not wrong


def test_tests_load_tools_without_their_flags():
    wrong = [
        f"{path.name} imports {name}; take testing.load_tool"
        for path in (ROOT / "tests").rglob("*.py")
        for name in imports(path)
        if name and name.partition(".")[0] == "tools"
    ]
    assert not wrong


def test_every_tool_runs_by_commands():
    """So it is quiet, and says a fault in one line."""
    twins = ROOT / "tools" / "benchmark" / "twins"  # a part of one tool
    tools = sorted(set((ROOT / "tools").rglob("*.py")) - set(twins.iterdir()))
    assert len(tools) > 20
    for path in tools:
        text = path.read_text()
        assert "app.run(" not in text and "    commands.run(main)" in text, path
        assert "tf_defocus.commands" in imports(path), path


def test_no_module_is_called_utils_or_helpers():
    names = {path.stem for path, _ in modules()}
    assert not names & {"utils", "helpers", "misc", "common_utils"}


def test_public_surface_is_small_and_sorted():
    import tf_defocus

    assert tf_defocus.__all__ == sorted(tf_defocus.__all__)
    assert len(tf_defocus.__all__) < 40
    assert all(hasattr(tf_defocus, name) for name in tf_defocus.__all__)


BLOCK_TENSORFLOW = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "tensorflow":
            raise ImportError("tensorflow is blocked in this test")
sys.meta_path.insert(0, Block())
import numpy as np, tf_defocus
for name in ("kpac_3level",):
    model = tf_defocus.create_model(name, base_filters=3)
    out = model({"blurred": np.zeros((1, 16, 16, 3), "float32")})
    assert float(abs(np.asarray(out["deblurred"])).max()) < 1.0
print("ok")
"""


@pytest.mark.jax
def test_import_and_models_work_without_tensorflow():
    pytest.importorskip("jax", reason="needs JAX: pip install tf-defocus[jax]")
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    result = subprocess.run(
        [sys.executable, "-c", BLOCK_TENSORFLOW],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout.strip() == "ok", result.stderr[-2000:]


def test_equation_tags_stand_at_the_equation_and_in_its_test():
    """Every [KPAC Eq. 7] of a paper-to-code table; a lone comment is no such place."""
    code = "\n".join(functions(path) for path, _ in modules())
    tests = "\n".join(map(functions, (ROOT / "tests").rglob("*_test.py")))
    for path in sorted((PACKAGE / "models").glob("*.py")):
        table = ast.get_docstring(ast.parse(path.read_text())) or ""
        for tag in re.findall(r"\[\w+ Eq\. \d+\]", table):
            assert tag in code, f"{path.name}: {tag} stands at no line of code"
            assert tag in tests, f"{path.name}: {tag} has no test"


def functions(path):
    """The lines of a file's functions and classes that are not comments alone."""
    lines = path.read_text().splitlines()
    kinds = (ast.FunctionDef, ast.ClassDef)
    parts = [n for n in ast.parse("\n".join(lines)).body if isinstance(n, kinds)]
    inside = [line for n in parts for line in lines[n.lineno - 1 : n.end_lineno]]
    return "\n".join(line for line in inside if not line.lstrip().startswith("#"))
