"""What stands behind the page: folders, limits, options, the process that restores."""

import asyncio
import pathlib
import shlex
import shutil
import socket
import sys
import threading
import time

import numpy as np
import pytest

from tests.cli import app_workers
from tf_defocus import cli, whole_files
from tf_defocus.cli.app import choices, sessions, worker
from tf_defocus.images.files import Image, read_image, write_image
from tf_defocus.optics import sensor


@pytest.fixture
def photograph(tmp_path, rng):
    """A 16-bit file as a browser would have uploaded it."""
    pixels = rng.integers(0, 65536, (30, 40, 3), dtype=np.uint16)
    path = tmp_path / "uploads" / "a b.tif"
    path.parent.mkdir()
    write_image(path, Image(pixels, format="tiff"))
    return path


@pytest.fixture
def tabs(tmp_path):
    folder = tmp_path / "tabs"
    folder.mkdir()
    return sessions.Sessions(folder)


def test_the_folder_goes_and_takes_what_killed_pages_left(tmp_path):
    left = tmp_path / "tf-defocus-app-left"
    (left / "tabs").mkdir(parents=True)
    with sessions.temporary_folder(tmp_path) as folder:
        assert not left.exists() and folder.stat().st_mode & 0o77 == 0
        (folder / "photograph").touch()
        with sessions.temporary_folder(tmp_path):
            assert folder.is_dir()  # in use
    assert not list(tmp_path.iterdir())


def test_a_tab_keeps_its_photograph_whatever_becomes_of_the_upload(tabs, photograph):
    session = tabs.of("one")
    kept = session.keep("photograph", photograph)
    content = photograph.read_bytes()
    photograph.unlink()
    assert session.kept("photograph") == kept and kept.read_bytes() == content
    assert session.said(f"{kept}: is bad") == "a b.tif: is bad"
    session.forget()
    assert session.kept("photograph") is None and not list(session.folder.iterdir())


def test_two_tabs_with_one_upload_close_by_themselves(tabs, photograph):
    for tab in ("one", "two"):
        tabs.of(tab).keep("photograph", photograph)
    first, second = tabs.of("one"), tabs.of("two")
    tabs.close("one")
    assert first.stop.is_set() and not first.folder.exists()
    assert photograph.exists() and second.kept("photograph").is_file()
    tabs.close("two")
    assert not photograph.exists() and not list(tabs.folder.iterdir())
    tabs.close("never opened")


def test_a_new_file_of_a_role_has_a_new_path(tabs):
    session = tabs.of("one")
    first = session.fresh("restored")
    assert session.fresh("restored") != first and not first.exists()


def test_previews_have_eight_bits_the_profile_and_the_size(tmp_path, rng):
    smooth = sensor.quantize16(np.linspace(0, 1, 80 * 60 * 3).reshape(60, 80, 3))
    icc = bytes(36) + b"acsp" + bytes(92)
    path = tmp_path / "before.jpg"
    sessions.write_preview(path, Image(smooth, np.zeros((60, 80), np.uint16), icc=icc))
    shown = read_image(path)
    assert shown.icc == icc
    np.testing.assert_allclose(shown.pixels, smooth / 257, atol=4)
    sessions.write_preview(path, Image(smooth), side=40)
    assert read_image(path).pixels.shape == (30, 40, 3)


def test_a_mask_is_white_where_any_layer_is_painted(tmp_path):
    layers = np.zeros((2, 10, 20, 4), np.uint8)
    layers[0, :, :5, 3] = 127  # half transparent paint is paint
    layers[1, :, 15:, 3] = 255
    path = tmp_path / "mask.png"
    sessions.write_mask(path, layers, (100, 200))
    mask = read_image(path).pixels[..., 0]
    assert mask.shape == (100, 200)
    assert (mask[:, :44] == 255).all() and (mask[:, 156:] == 255).all()
    assert (mask[:, 56:144] == 0).all()


def test_choices_are_the_options_of_the_command(tabs, photograph):
    session = tabs.of("one")
    session.keep("photograph", photograph)
    session.keep("left", photograph)
    painted = np.full((15, 20, 4), 255, np.uint8)
    asked = choices.Choices(
        *("kpac_3level_dual", ("left",), 0.5, False, True, True, "bmp", [painted]),
        is_crop=True,
    ).arguments(session)
    options = worker.parse(asked)
    assert options.input == [session.kept("photograph")]
    assert options.preset == "kpac_3level_dual" and options.left.name == "a b.tif"
    assert options.strength == 0.5 and options.ext == "bmp" and options.ensemble
    assert options.scales == "1,2,4,8"
    assert not options.protect_sharp and options.suffix == "_restored"
    assert read_image(options.mask).pixels.min() == 255
    assert options.defocus_map.parent == options.output
    shown = shlex.split(choices.command(session, asked))
    assert shown[:2] == ["tf-defocus", "deblur"]
    there = worker.parse(shown[2:])
    assert [*there.input, there.mask] == [
        pathlib.Path("a b.tif"),
        pathlib.Path("a b_mask.png"),
    ]
    assert str(there.output) == "restored"


def test_plain_choices_leave_everything_to_the_command(tabs, photograph):
    session = tabs.of("one")
    session.keep("photograph", photograph)
    asked = choices.Choices("gkmnet").arguments(session)
    words = [word for word in asked if word.startswith("-")]
    assert words == ["-i", "-o", "--suffix", "-n"]
    with pytest.raises(worker.RestorationError, match="k3dn_tiny wants the right view"):
        choices.Choices("k3dn_tiny", ("right",)).arguments(session)


def upload(guard, length):
    """Status and text with which an upload of a length is answered; None if it may."""
    sent = []
    headers = [(b"content-length", str(length).encode())] if length else []
    scope = {"type": "http", "method": "POST", "headers": headers}
    scope["path"] = "/gradio_api/upload"
    parts = iter([{"body": b"x", "more_body": True}, {"body": b"", "more_body": False}])

    async def receive():
        return {"type": "http.request", **next(parts)}

    async def send(message):
        sent.append(message)

    asyncio.run(guard(scope, receive, send))
    return (sent[0]["status"], sent[1]["body"].decode()) if sent else None


def test_uploads_that_are_too_large_are_refused_before_they_are_stored(
    tmp_path, monkeypatch
):
    pytest.importorskip("starlette", reason='pip install ".[app]"')
    from tf_defocus.cli.app.guard import UploadGuard

    passed = []

    async def app(scope, receive, send):
        passed.append(scope["path"])

    guard = UploadGuard(app, tmp_path, 5 * 2**20)
    assert upload(guard, 5 * 2**20) is None and passed == ["/gradio_api/upload"]
    assert upload(guard, 5 * 2**20 + 1) == (
        413,
        "The file is larger than 5 MB; see --max-megabytes",
    )
    assert upload(guard, None)[0] == 411
    usage = shutil._ntuple_diskusage(10**7, 0, 2_999_999)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    status, text = upload(guard, 1_000_000)
    assert status == 507 and "is full; free some space" in text
    assert upload(guard, 999_999) is None


@pytest.fixture
def started():
    """A function that starts a `Worker` of a stand-in; ends them."""
    workers = []

    def start(serve):
        workers.append(worker.Worker(serve))
        return workers[-1]

    yield start
    for one in workers:
        one.end()


def test_a_worker_reports_and_returns(started):
    steps, stop = [], threading.Event()
    one = started(app_workers.counting)
    for name in ("a.png", "b.png"):
        assert one.restore([name], lambda *s: steps.append(s), stop) == (name,)
    assert steps == [(1, 3), (2, 3), (3, 3)] * 2
    refusing = started(app_workers.refusing)
    with pytest.raises(worker.RestorationError, match=r"a\.png: the disk is full"):
        refusing.restore(["a.png"], print, stop)


def test_a_worker_that_was_killed_is_said_and_replaced(started, tmp_path):
    one, stop = started(app_workers.dying), threading.Event()
    with pytest.raises(worker.RestorationError, match="ended by the system"):
        one.restore([str(tmp_path / "mark")], print, stop)
    assert one.restore([str(tmp_path / "mark")], print, stop) == ()


def test_a_restoration_stops_at_once(started):
    one, stop = started(app_workers.sleeping), threading.Event()
    one.start()
    busy = one._process
    threading.Timer(0.5, stop.set).start()
    begin = time.monotonic()
    with pytest.raises(worker.Stopped):
        one.restore(["a.png"], print, stop)
    assert time.monotonic() - begin < 20
    assert not busy.is_alive() and one._process.is_alive()


def test_what_the_page_needs_is_said_in_one_line(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert cli.main(["app"]) == 1
    assert 'pip install "tf-defocus[app]"' in capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.setenv("TF_DEFOCUS_MAX_MEGAPIXELS", "many")
    assert cli.main(["app"]) == 1
    assert "'many'; expected a positive number" in capsys.readouterr().err


def test_folders_in_use_are_left_alone(tmp_path):
    other = tmp_path / "tf-defocus-app-other"
    other.mkdir()
    with whole_files.lock_folder(other), sessions.temporary_folder(tmp_path):
        assert other.is_dir()


def test_a_taken_port_is_said_in_one_line(tmp_path, capsys):
    pytest.importorskip("gradio", reason='pip install ".[app]"')
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        arguments = ["app", "--port", port, "--no-browser", "--folder", str(tmp_path)]
        assert cli.main(arguments) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert port in line and "--port" in line
    assert not list(tmp_path.iterdir())
