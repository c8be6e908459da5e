"""What the guides tell a newcomer to do is done, in their order and in one folder."""

import json
import os

import cv2
import keras
import numpy as np
import pytest
import skimage.data

from tests.documents_test import fenced_commands, python_blocks, read_page
from tests.testing import ROOT, run_tool
from tf_defocus import cli
from tf_defocus.conversion import assignments_of
from tf_defocus.images.files import Image, read_image, write_image
from tf_defocus.models import create_model
from tf_defocus.serving.process import ServerProcess

pytestmark = pytest.mark.slow


def commands_of(page, beginning):
    """Words of a guide's commands that begin so."""
    wanted = beginning.split()
    found = fenced_commands(read_page(f"docs/guides/{page}.md"))
    return [words for words in found if words[: len(wanted)] == wanted]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder as the working one, and `tools` in it."""
    (tmp_path / "tools").symlink_to(ROOT / "tools")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_guide_of_restoring_restores(folder, rng):
    (folder / "folder").mkdir()
    for name in ("photo.tif", "photo.png", "left.png", "right.png", "folder/a.png"):
        write_image(name, Image(rng.integers(0, 65536, (48, 64, 3), np.uint16)))
    write_image("mask.png", Image(np.full((48, 64, 3), 255, np.uint8)))
    outputs = set()
    for words in commands_of("restore", "tf-defocus"):
        assert cli.main(words[1:]) == 0, words
        outputs |= {words[i + 1] for i, word in enumerate(words) if word == "-o"}
    assert len(outputs) == 10
    assert read_image("blur.png").pixels.shape[:2] == (48, 64)
    for output in outputs:
        (*_, result) = (p for p in (folder / output).rglob("*") if p.is_file())
        assert read_image(result).pixels.shape == (48, 64, 3)


def test_the_guide_of_converting_converts(folder, rng):
    """With KPAC's file for IFAN's, and the network's name with it: it is smaller."""
    model = create_model("kpac_3level", variant="released")
    found = assignments_of(model)
    tensors = np.empty(len(found), object)
    tensors[:] = [keras.ops.convert_to_numpy(a.variable) for a in found]
    np.savez("IFAN.npz", params=tensors)
    os.rename("IFAN.npz", "IFAN.pytorch")
    write_image("photo.tif", Image(rng.integers(0, 256, (40, 56, 3), np.uint8)))
    first, second, third, *_ = commands_of("convert", "tf-defocus")
    second[second.index("ifan")] = "kpac_3level"
    for words in (first, second, third):
        assert cli.main(words[1:]) == 0, words
    assert read_image("restored_by_ifan/photo.tif").pixels.shape == (40, 56, 3)
    config = json.loads((folder / "ifan_authors" / "config.json").read_text())
    assert config["model"] == "kpac_3level"


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="SavedModels are TensorFlow's"
)
def test_the_guide_of_serving_serves(folder):
    cv2.imwrite("photo.jpg", skimage.data.coffee()[:64, :80])
    _, script, *rest = commands_of("export_and_serve", "python tools/export.py")[0]
    assert run_tool("export", *rest) in (None, 0), script
    load, _ = python_blocks("docs/guides/export_and_serve.md")
    (ask,) = python_blocks("docs/serving.md")
    exec(load, {})
    loaded = cv2.imread("restored.png")
    assert loaded.shape == (64, 80, 3)
    os.remove("restored.png")
    (serve,) = commands_of("export_and_serve", "python -m tf_defocus.serving")
    with ServerProcess(serve[3:]) as server:
        exec(ask.replace("http://localhost:8080", server.url), {})
    # Two decoders of JPEG: TensorFlow's in the graph, Pillow's in the server.
    restored = cv2.imread("restored.png").astype(int)
    assert np.abs(restored - loaded).max() <= 2
