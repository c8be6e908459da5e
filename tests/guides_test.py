"""What the guides tell a newcomer to do is done, in their order and in one folder."""

import base64
import http.server
import json
import os
import threading

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
    assert len(outputs) == 9
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


class Predictor(http.server.BaseHTTPRequestHandler):
    """Answers as TensorFlow Serving's REST interface does, with one signature."""

    signature = None

    def log_message(self, *_):
        """Says nothing."""

    def do_POST(self):
        import tensorflow as tf

        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.path == "/v1/models/kpac_3level:predict"
        assert body["signature_name"] == "encoded"
        files = [base64.b64decode(f["b64"]) for f in body["inputs"]["blurred"]]
        outputs = self.signature(blurred=tf.constant(files))
        texts = [base64.b64encode(f).decode() for f in outputs["encoded_bytes"].numpy()]
        answer = {"encoded_bytes": [{"b64": text} for text in texts]}
        answer["deblurred"] = outputs["deblurred"].numpy().tolist()
        content = json.dumps({"outputs": answer}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="SavedModels are TensorFlow's"
)
def test_the_guide_of_serving_serves(folder):
    import tensorflow as tf

    cv2.imwrite("photo.jpg", skimage.data.coffee()[:64, :80])
    _, script, *rest = commands_of("export_and_serve", "python tools/export.py")[0]
    assert run_tool("export", *rest) in (None, 0), script
    load, ask, _ = python_blocks("docs/guides/export_and_serve.md")
    exec(load, {})
    loaded = cv2.imread("restored.png")
    assert loaded.shape == (64, 80, 3)
    os.remove("restored.png")
    exported = tf.saved_model.load("served/kpac_3level/1")
    Predictor.signature = exported.signatures["encoded"]
    server = http.server.HTTPServer(("127.0.0.1", 0), Predictor)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        exec(ask.replace("localhost:8501", f"127.0.0.1:{server.server_port}"), {})
    finally:
        server.shutdown()
        server.server_close()
    np.testing.assert_array_equal(cv2.imread("restored.png"), loaded)
