"""Presets go to a hub and come back, against a stand-in of its HTTP interface.

The stand-in answers on 127.0.0.1 what `huggingface_hub` asks for one repository: where
a file lies, its bytes, and the steps of a commit.
"""

import base64
import hashlib
import http.server
import json
import re
import threading
import urllib.parse

import numpy as np
import pytest

import tf_defocus
from tf_defocus.models import create_model, hub, presets
from tf_defocus.models.presets import PresetError

pytest.importorskip("huggingface_hub", reason="pip install .[hub]")
from huggingface_hub import constants

SMALL = {"base_filters": 6}
REPOSITORY = "me/small"


class StandIn(http.server.BaseHTTPRequestHandler):
    """A hub with one repository; `commits` is its history, dicts of files' bytes."""

    def log_message(self, *_):
        """Says nothing."""

    def answer(self, status=200, body=b"", **headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": len(body), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        match = re.fullmatch(r"/(.+?/.+?)/resolve/(.+?)/(.+)", path)
        if not match:
            return self.answer(404)
        repository, revision, name = match.groups()
        if repository != REPOSITORY:
            return self.answer(401, X_Error_Code="RepoNotFound")
        names = {"main": -1, **{c["id"]: i for i, c in enumerate(self.server.commits)}}
        if revision not in names:
            return self.answer(404, X_Error_Code="RevisionNotFound")
        commit = self.server.commits[names[revision]]
        if name not in commit:
            return self.answer(404, X_Error_Code="EntryNotFound")
        content = commit[name]
        self.server.asked.append(name)
        etag = hashlib.sha256(content).hexdigest()
        size = self.server.claimed.get(name, len(content))
        linked = {"X_Linked_Size": size, "X_Linked_Etag": f'"{etag}"'}
        return self.answer(
            200, content, ETag=f'"{etag}"', X_Repo_Commit=commit["id"], **linked
        )

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Authorization") != "Bearer hf_token":
            return self.answer(401, {"error": "no token"})
        if self.path == "/api/repos/create":
            return self.answer(200, {"url": f"{self.server.url}/{REPOSITORY}"})
        if self.path == "/api/validate-yaml":
            return self.answer(200, {"errors": [], "warnings": []})
        if "/preupload/" in self.path:
            files = [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False}
                for f in json.loads(body)["files"]
            ]
            return self.answer(200, {"files": files})
        if "/commit/" in self.path:
            rows = [json.loads(line) for line in body.splitlines()]
            files = {
                r["value"]["path"]: base64.b64decode(r["value"]["content"])
                for r in rows
                if r["key"] == "file"
            }
            name = self.server.add(files)
            return self.answer(
                200,
                {
                    "commitUrl": f"{self.server.url}/{REPOSITORY}/commit/{name}",
                    "commitOid": name,
                },
            )
        return self.answer(404, {"error": self.path})


class Hub(http.server.ThreadingHTTPServer):
    """The server, and what the tests look at."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), StandIn)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.commits, self.asked, self.claimed = [], [], {}

    def add(self, files):
        """A commit with these files beside those of the last one; its name."""
        before = self.commits[-1] if self.commits else {}
        name = f"{len(self.commits):040x}"
        self.commits.append({**before, **files, "id": name})
        return name


@pytest.fixture
def server(tmp_path, monkeypatch):
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("HF_TOKEN", "hf_token")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A folder of presets with one small network, and the network."""
    folder = tmp_path_factory.mktemp("presets")
    model = create_model("kpac_2level", **SMALL)
    details = {
        "description": "A small one",
        "licence": "CC-BY-4.0",
        "data": {"dataset": "synthetic_dp/photos", "split": "train"},
    }
    presets.save_preset(model, folder, "small", SMALL, "float32", **details)
    (folder / "small.md").write_text("# small\n\n![curve](../docs/a.png)\n\nFails.\n")
    return folder, model


@pytest.fixture
def shared(server, small, tmp_path):
    """The stand-in with the small preset as its first commit."""
    hub.write_preset(small[0], tmp_path / "written")
    server.add({p.name: p.read_bytes() for p in (tmp_path / "written").iterdir()})
    return server


def test_what_was_uploaded_comes_back(server, small):
    folder, model = small
    address = tf_defocus.upload_preset(folder, f"hf://{REPOSITORY}")
    assert address.endswith(f"{REPOSITORY}/commit/{0:040x}")
    assert set(server.commits[-1]) - {"id"} == {hub.CONFIG, hub.WEIGHTS, hub.CARD}
    restorer = tf_defocus.Restorer.from_preset(f"hf://{REPOSITORY}")
    for given, found in zip(model.get_weights(), restorer.model.get_weights()):
        np.testing.assert_array_equal(found, given)
    assert set(server.asked) == {hub.CONFIG, hub.WEIGHTS}


def test_the_card_opens_with_metadata(small, tmp_path):
    yaml = pytest.importorskip("yaml", reason="pip install .[hub]")
    hub.write_preset(small[0], tmp_path)
    _, front, text = (tmp_path / hub.CARD).read_text().split("---\n", 2)
    fields = yaml.safe_load(front)
    assert fields["license"] == "cc-by-4.0"
    assert fields["datasets"] == ["synthetic-dp-photos"]
    assert fields["metrics"] == ["psnr", "ssim"]
    assert text == "\n# small\n\nFails.\n"
    config = json.loads((tmp_path / hub.CONFIG).read_text())
    assert config["model"] == "kpac_2level"
    assert config["overrides"] == SMALL
    assert tf_defocus.load_preset(tmp_path).base_filters == 6


def test_every_shipped_preset_has_metadata(tmp_path):
    yaml = pytest.importorskip("yaml", reason="pip install .[hub]")
    for name in tf_defocus.list_presets():
        hub.write_preset(name, tmp_path / name)
        text = (tmp_path / name / hub.CARD).read_text()
        fields = yaml.safe_load(text.split("---\n")[1])
        assert fields["license"]
        assert fields["datasets"], name
        assert "Known failures" in text


def test_a_revision_is_kept_to(shared, small):
    first = shared.commits[0]["id"]
    shared.add({hub.CONFIG: b"{}"})
    with pytest.raises(PresetError, match="names no weights_sha256; not a preset"):
        hub.download_preset(f"hf://{REPOSITORY}")
    assert hub.download_preset(f"hf://{REPOSITORY}@{first}").name == first


def test_what_was_fetched_is_found_without_a_network(shared, monkeypatch):
    folder = hub.download_preset(f"hf://{REPOSITORY}")
    shared.asked.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert hub.download_preset(f"hf://{REPOSITORY}") == folder
    assert not shared.asked


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("hf://me/other", "no such repository"),
        (f"hf://{REPOSITORY}@old", "no such revision; leave @revision out"),
        ("hf://small", "Expected hf://user/name"),
        ("hf://me/../small", "Expected hf://user/name"),
    ],
)
def test_what_is_not_there_costs_one_line(shared, address, reason):
    with pytest.raises(PresetError, match=reason) as caught:
        tf_defocus.Restorer.from_preset(address)
    assert "\n" not in str(caught.value)


def test_without_a_network_one_line_says_so(shared, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(PresetError, match="the hub cannot be reached") as caught:
        hub.download_preset(f"hf://{REPOSITORY}")
    assert "\n" not in str(caught.value)


def test_a_repository_without_a_preset_is_refused(server):
    server.add({"pytorch_model.bin": b"\x80\x04K\x01."})
    with pytest.raises(PresetError, match=f"no {hub.CONFIG} or {hub.WEIGHTS} in it"):
        hub.download_preset(f"hf://{REPOSITORY}")
    assert not server.asked


def test_other_weights_than_the_configurations_are_refused(shared):
    changed = bytearray(shared.commits[-1][hub.WEIGHTS])
    changed[-1] ^= 1
    shared.add({hub.WEIGHTS: bytes(changed)})
    with pytest.raises(PresetError, match="is damaged: expected sha256"):
        hub.download_preset(f"hf://{REPOSITORY}")


def test_files_that_are_too_large_are_not_fetched(shared):
    shared.claimed[hub.WEIGHTS] = 2**31
    with pytest.raises(PresetError, match="2147483648 bytes, expected at most"):
        hub.download_preset(f"hf://{REPOSITORY}")


def test_pickled_arrays_are_refused(shared, tmp_path):
    np.savez(tmp_path / "w.npz", a=np.array([{}], object))
    content = (tmp_path / "w.npz").read_bytes()
    config = json.loads(shared.commits[-1][hub.CONFIG])
    config["weights_sha256"] = hashlib.sha256(content).hexdigest()
    shared.add({hub.WEIGHTS: content, hub.CONFIG: json.dumps(config).encode()})
    with pytest.raises(PresetError, match="cannot be loaded"):
        tf_defocus.load_preset(f"hf://{REPOSITORY}")


def test_a_refused_upload_costs_one_line(server, small, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "wrong")
    with pytest.raises(PresetError, match="hf://me/small: ") as caught:
        tf_defocus.upload_preset(small[0], f"hf://{REPOSITORY}")
    assert "\n" not in str(caught.value)
    assert not server.commits
