"""The notebooks run from top to bottom, at small sizes, and hold no outputs."""

import json
import os
import re

import pytest

from tests.testing import ROOT

NOTEBOOKS = sorted((ROOT / "docs" / "tutorials").glob("*.ipynb"))
# What is made smaller, by the line that says it.
SMALL = {
    "restore_and_look": {"SIZE": "96"},
    "train_in_ten_minutes": {
        "NUM_TRAIN, NUM_VALIDATION, SIZE": "6, 4, 64",
        "NUM_STEPS, CROP_SIZE": "6, 32",
    },
    "convert_score_export": {"SIZE": "64"},
}


def made_small(notebook, changes):
    """The notebook with other numbers in its first cell of code."""
    cell = next(c for c in notebook.cells if c.cell_type == "code")
    for name, value in changes.items():
        pattern = rf"(?m)^{re.escape(name)} = [\d, ]+\d"
        cell.source, count = re.subn(pattern, f"{name} = {value}", cell.source)
        assert count == 1, name
    return notebook


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_holds_no_outputs(path):
    notebook = json.loads(path.read_text())
    codes = [c for c in notebook["cells"] if c["cell_type"] == "code"]
    assert len(codes) > 4
    assert all(c["outputs"] == [] and c["execution_count"] is None for c in codes)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient", reason="pip install nbclient ipykernel")
    import nbformat

    (tmp_path / "tools").symlink_to(ROOT / "tools")  # commands name them from the root
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = made_small(nbformat.read(path, 4), SMALL[path.stem])
    resources = {"metadata": {"path": str(tmp_path)}}
    done = nbclient.NotebookClient(notebook, timeout=300, resources=resources).execute()
    texts = "".join(
        output.get("text", "")
        for cell in done.cells
        for output in cell.get("outputs", ())
    )
    assert EXPECTED[path.stem](texts), texts[-2000:]


EXPECTED = {
    "restore_and_look": lambda text: psnr_rises(text),
    "train_in_ten_minutes": lambda text: "gain after 6 steps" in text,
    "convert_score_export": lambda text: (
        "kpac_authors" in text
        and int(re.search(r"difference \[of 255\]: (\d+)", text).group(1)) <= 1
    ),
}


def psnr_rises(text):
    before, after = re.search(r"psnr: ([\d.]+) -> ([\d.]+)", text).groups()
    return float(after) > float(before) + 0.2
