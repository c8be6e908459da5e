"""The page in a browser: what it gives is what the command writes, and nothing stays.

Also that it asks nothing of any other machine, and goes on after what cannot be done.
"""

import contextlib
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import cv2
import numpy as np
import pytest
import skimage.data

from tests.testing import ROOT
from tf_defocus import cli
from tf_defocus.images.files import Image, read_image, write_image

pytestmark = pytest.mark.slow
PATIENCE = 240_000  # [ms], of a busy machine


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the page keeps what it is given."""
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def served(folder):
    """The address of a page, and its process."""
    pytest.importorskip("gradio", reason='pip install ".[app]"')
    command = [sys.executable, "-m", "tf_defocus", "app", "--no-browser"]
    command += ["--port", "0", "--folder", str(folder), "-n", "gkmnet"]
    process = subprocess.Popen(
        [*command, "--max-megabytes", "2"],
        cwd=ROOT,
        env=os.environ | {"TF_DEFOCUS_MAX_MEGAPIXELS": "0.2"},
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process.stdout.readline().split()[0], process
    if process.poll() is None:
        process.kill()
    process.wait()


@pytest.fixture
def open_tab(served, browser):
    """A function that opens the page, watched for requests to other machines."""
    pages, elsewhere = [], []

    def note(request):
        own = (served[0], "data:", "blob:")
        if not request.url.startswith(own):
            elsewhere.append(request.url)

    def open_one(width=1400):
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.set_default_timeout(PATIENCE)
        page.on("request", note)
        page.on("pageerror", lambda error: elsewhere.append(str(error)))
        page.goto(served[0])
        pages.append(page)
        return page

    yield open_one
    for page in pages:
        page.close()
    assert not elsewhere


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """A blurred 16-bit photograph, an 8-bit one, and what is none."""
    folder = tmp_path_factory.mktemp("photographs")
    sharp = skimage.data.chelsea()[60:140, 100:196].astype(np.float32) / 255
    blurred = np.rint(65535 * cv2.GaussianBlur(sharp, (0, 0), 2)).astype(np.uint16)
    write_image(folder / "cat.tif", Image(blurred, format="tiff"))
    write_image(folder / "cat.jpg", Image((blurred >> 8).astype(np.uint8)))
    large = np.zeros((400, 501, 3), np.uint8)
    write_image(folder / "large.png", Image(large))
    (folder / "letter.png").write_text("a letter")
    (folder / "heavy.tif").write_bytes(bytes(2**21 + 1))
    return folder


def give(page, path):
    """Drops a photograph and waits until the page has seen it."""
    page.locator("#photograph input[type=file]").set_input_files(path)
    page.get_by_role("status").get_by_text(f"{path.name}: ").wait_for()


def result(page, target):
    """Waits for what was restored; path of the downloaded file, and the command."""
    page.locator("#view .compare img").first.wait_for()
    with page.expect_download() as download:
        page.locator("#download").click()
    path = target / download.value.suggested_filename
    download.value.save_as(path)
    return path, page.locator("#command textarea").input_value()


def by_command(text, photograph, folder, *others):
    """The file that the shown command writes in a folder with the photograph."""
    folder.mkdir()
    for path in (photograph, *others):
        shutil.copy(path, folder)
    words = shlex.split(text)
    assert words[:2] == ["tf-defocus", "deblur"]
    before = os.getcwd()
    os.chdir(folder)
    try:
        assert cli.main([*words[1:], "-q"]) == 0
    finally:
        os.chdir(before)
    (written,) = (folder / "restored").iterdir()
    return written


def test_the_page_gives_the_commands_file_and_a_slider(open_tab, photographs, tmp_path):
    page, source = open_tab(), photographs / "cat.tif"
    give(page, source)
    assert "16 bit, TIFF" in page.locator("#status").inner_text()
    page.get_by_label("Show how wide the blur is").check()
    page.get_by_label("A crop of a larger photograph").check()
    page.locator("#restore").click()
    path, command = result(page, tmp_path)
    assert "--scales 1,2,4,8" in command
    assert path.name == "cat_restored.tif"
    assert read_image(path).pixels.dtype == np.uint16
    written = by_command(command, source, tmp_path / "there")
    assert path.read_bytes() == written.read_bytes() != source.read_bytes()
    pictures = page.locator("#view img")
    assert pictures.count() == 3  # after, before, map
    for index in range(3):
        assert pictures.nth(index).get_attribute("alt")
        assert pictures.nth(index).evaluate("i => i.naturalWidth") == 96
    for share in (0, 25, 100):
        page.locator("#view input[type=range]").fill(str(share))
        cut = page.locator("#view .pair").evaluate(
            "p => p.style.getPropertyValue('--cut')"
        )
        assert float(cut.removesuffix("px")) == pytest.approx(0.96 * share, abs=0.1)
    assert sorted(p.name for p in (tmp_path / "there").iterdir()) == [
        "cat.tif",
        "cat_blur.png",
        "cat_blur_colours.png",
        "restored",
    ]


def test_two_tabs_at_once_do_not_mix(open_tab, photographs, tmp_path):
    """The same photograph in both; in the second less strength, and a mask."""
    source = photographs / "cat.jpg"
    pages = [open_tab(), open_tab(width=390)]
    for page in pages:
        give(page, source)
    first, second = pages
    second.get_by_label("number input for Strength").fill("0.5")
    second.locator("#only button").first.click()
    canvas = second.locator("#mask canvas").first
    canvas.wait_for()
    second.wait_for_timeout(1500)  # the editor draws its picture
    box = canvas.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    second.mouse.move(x, y)
    second.mouse.down()
    second.mouse.move(x + 20, y + 10, steps=4)
    second.mouse.up()
    for page in pages:
        page.locator("#restore").click()
    paths = []
    for index, page in enumerate(pages):
        target = tmp_path / str(index)
        path, command = result(page, target)
        others = []
        if index:
            assert "--strength 0.5 --mask cat_mask.png" in command
            with page.expect_download() as download:
                page.locator("#also a").first.click()
            others = [target / "cat_mask.png"]
            download.value.save_as(others[0])
            mask = read_image(others[0]).pixels
            assert mask.shape == (80, 96, 3)
            assert mask.min() == 0 and mask.max() == 255
        written = by_command(command, source, target / "there", *others)
        assert path.read_bytes() == written.read_bytes()
        paths.append(path)
    assert paths[0].read_bytes() != paths[1].read_bytes()
    assert first.evaluate("document.documentElement.scrollWidth") <= 1400
    assert second.evaluate("document.documentElement.scrollWidth") <= 390


def test_what_cannot_be_restored_is_a_line_and_the_page_goes_on(open_tab, photographs):
    page = open_tab()
    page.locator("#restore").click()
    page.get_by_text("There is no photograph yet").wait_for()
    for name, line in (
        ("letter.png", "letter.png: cannot be read"),
        ("large.png", "it declares 501x400 pixels, more than 0.2 megapixels"),
    ):
        page.locator("#photograph input[type=file]").set_input_files(photographs / name)
        page.get_by_role("alert").get_by_text(line).wait_for()
        page.get_by_label("Clear").first.click()
    page.locator("#photograph input[type=file]").set_input_files(
        photographs / "heavy.tif"
    )
    page.get_by_text("exceed the maximum allowed size of 2").first.wait_for()
    page.reload()
    give(page, photographs / "cat.jpg")


def test_a_restoration_is_cancelled(open_tab, photographs):
    page = open_tab()
    give(page, photographs / "cat.tif")
    page.get_by_label("four times the time").check()  # loads anew, so it takes a while
    page.locator("#restore").click()
    page.locator("#cancel").click()
    page.get_by_text("Cancelled.").wait_for()
    assert page.locator("#download").count() == 0
    page.get_by_label("four times the time").uncheck()
    page.locator("#restore").click()
    page.locator("#view .compare img").first.wait_for()


def test_other_names_of_this_machine_are_not_answered(served):
    """As a page elsewhere would use, whose name leads to 127.0.0.1."""
    request = urllib.request.Request(served[0], headers={"Host": "example.org"})
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(request)


def kept_files(folder):
    names = set()
    for where, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(FileNotFoundError):  # removed meanwhile
                if pathlib.Path(where, name).stat().st_size:
                    names.add(name)
    return names


def test_closed_tabs_and_the_end_leave_nothing(folder, served, open_tab, photographs):
    page, (_, process) = open_tab(), served
    give(page, photographs / "cat.tif")
    assert "cat.tif" in kept_files(folder)
    page.close()
    deadline = time.monotonic() + 60
    while "cat.tif" in kept_files(folder) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not {"cat.tif", "before.jpg"} & kept_files(folder)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert not list(pathlib.Path(folder).iterdir())
