"""The way of docs/reproduce.md, run on fabricated files: train, score, report."""

import functools
import json
import os
import subprocess
import sys

import pytest

from tests import dataset_trees
from tests.documents_test import fenced_commands, read_page
from tests.testing import ROOT
from tf_defocus.configs import get_recipe

SMALLER = {
    "overrides": {"base_filters": 4, "num_blocks": 1},
    "crop_size": 8,
    "batch_size": 2,
    "num_steps": 2,
    "num_validation": 2,
}


def first_command(tool):
    """The first command of the page that runs a tool, as a list of words."""
    page = fenced_commands(read_page("docs/reproduce.md"))
    return next(words[1:] for words in page if words[1] == f"tools/{tool}.py")


@pytest.mark.slow
def test_a_row_is_trained_scored_and_set_beside_the_printed_one(tmp_path, monkeypatch):
    # like the published images, these divide by what the network asks for
    write = functools.partial(dataset_trees.write_image, shape=(16, 24, 3))
    monkeypatch.setattr(dataset_trees, "write_image", write)
    data = dataset_trees.dpdd_official(tmp_path / "files")
    names = {"DATA": str(data)}
    places = {"train": ["--data_dir", "tfds"], "evaluate": ["--data_dir", "tfds"]}
    places["train"] += [f"--set={k}={json.dumps(v)}" for k, v in SMALLER.items()]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    printed = {}
    for tool in ("train", "evaluate", "report"):
        words = [names.get(word, word) for word in first_command(tool)]
        command = [sys.executable, str(ROOT / words[0]), *words[1:]]
        done = subprocess.run(
            [*command, *places.get(tool, [])],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        printed[tool] = done.stdout
    config = json.loads((tmp_path / "runs" / "kpac" / "config.json").read_text())
    assert config["model"] == get_recipe("kpac_3level_stage_a").model
    scores = json.loads((tmp_path / "results" / "kpac" / "scores.json").read_text())
    assert len(scores["images"]) == 76  # of the test set
    assert "| kpac |" in printed["evaluate"]
    assert "[KPAC Tab. 4]" in printed["report"] and "25.24" in printed["report"]
    assert "| measured | kpac |" in printed["report"]
