"""Batches: what is left out is said, nothing hangs, nothing ends the others."""

import os
import subprocess
import sys

import numpy as np
import pytest

from tests import dataset_trees
from tests.cli_test import Inverting, deblur, save, value
from tests.images import photograph_files
from tests.testing import case_file
from tf_defocus import cli
from tf_defocus.models import presets
from tf_defocus.restoration import photo_jobs


@pytest.fixture(autouse=True)
def single(monkeypatch):
    """Every preset is `Inverting`."""
    monkeypatch.setattr(presets, "load_preset", lambda name: Inverting())


@pytest.fixture
def photos(tmp_path):
    """A folder with one photograph."""
    save(tmp_path / "photos" / "good.png", 55)
    return tmp_path / "photos"


def lines(capsys):
    captured = capsys.readouterr()
    return captured.err.strip().splitlines(), captured.out.strip()


OTHERS = {
    "jxl": "it holds JPEG XL data",
    "psd": "it holds PSD data",
    "exr": "it holds EXR data",
    "heic": "it is no image file",
    "avif": "it is no image file",
    "webp": "it is no image file",
    "CR2": "the raw data is damaged",
    "dng": "the raw data is damaged",
}


@pytest.mark.parametrize("suffix", OTHERS)
def test_foreign_photographs_are_named_and_fail(tmp_path, photos, capsys, suffix):
    (photos / f"other.{suffix}").write_bytes(b"some bytes")
    assert deblur("-i", photos, "-o", tmp_path / "out") == 1
    errors, told = lines(capsys)
    assert len(errors) == 1
    assert f"other.{suffix}: cannot be read: {OTHERS[suffix]}" in errors[0]
    assert told == "1 restored, 1 failed"
    assert value(tmp_path / "out" / "good.png") == 200


def test_photographs_without_a_name_are_found_by_their_content(
    tmp_path, photos, capsys
):
    (photos / "IMG_0001").write_bytes((photos / "good.png").read_bytes())
    (photos / "notes.txt").write_text("a letter")
    (photos / "good.xmp").write_text("<x:xmpmeta/>")
    assert deblur("-i", photos, "-o", tmp_path / "out") == 1
    errors, told = lines(capsys)
    assert "its extension is missing but it holds PNG" in errors[0]
    assert told == "1 restored, 1 failed; left out: 2 other files"


def test_the_cases_as_one_folder(tmp_path, capsys):
    assert deblur("-i", case_file("files"), "-o", tmp_path / "out", "-r") == 1
    errors, told = lines(capsys)
    failed = [line for line in errors if "cannot be read" in line]
    assert len(failed) == 3 + 2  # formats that are not read, floats on another scale
    clashing = [line for line in errors if "has the same output as" in line]
    assert len(clashing) == 2  # raw.cr2, raw.cr3 and raw.nef become raw.tif
    failed += clashing
    count = sum(len(files) for _, _, files in os.walk(case_file("files")))
    assert told == f"{count - len(failed)} restored, {len(failed)} failed"


def test_folders_that_are_not_searched_are_counted(tmp_path, photos, capsys):
    save(photos / "deep" / "b.png", 55)
    out = photos / "out"
    assert deblur("-i", photos, "-o", out) == 0
    assert lines(capsys)[1] == "1 restored; left out: 1 folders (add -r)"
    os.symlink(photos, photos / "deep" / "loop")
    assert deblur("-i", photos, "-o", out, "-r", "--overwrite") == 1
    errors, told = lines(capsys)
    assert "loop: is a link to a folder" in errors[0]
    assert told == "2 restored, 1 failed"


def test_a_folder_that_cannot_be_searched_is_named(
    tmp_path, photos, monkeypatch, capsys
):
    (photos / "closed").mkdir()
    listed = os.listdir

    def refuse(folder):
        if os.path.basename(folder) == "closed":
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    monkeypatch.setattr(os, "listdir", refuse)
    assert deblur("-i", photos, "-o", tmp_path / "out", "-r") == 1
    errors, told = lines(capsys)
    assert "closed: cannot be searched (Permission denied)" in errors[0]
    assert told == "1 restored, 1 failed"


def test_pipes_and_links_do_not_stop_a_batch(tmp_path, photos, capsys):
    os.mkfifo(photos / "a.png")
    os.symlink("self.png", photos / "self.png")
    os.symlink("nowhere.png", photos / "broken.png")
    assert deblur("-i", photos, "-o", tmp_path / "out") == 1
    errors, told = lines(capsys)
    assert [("pipe or" in line, "opened" in line) for line in errors] == [
        (True, False),
        (False, True),
        (False, True),
    ]
    assert told == "1 restored, 3 failed"
    assert deblur("-i", photos / "a.png", "-o", tmp_path / "out") == 1


def test_names_of_255_bytes_are_restored(tmp_path, photos, capsys):
    name = "ü" * 125 + "x.png"
    assert len(os.fsencode(name)) == 255
    save(photos / name, 55)
    assert deblur("-i", photos, "-o", tmp_path / "out") == 0
    assert value(tmp_path / "out" / name) == 200
    arguments = ("-i", photos, "-o", tmp_path / "out", "--suffix", "_sharp")
    assert deblur(*arguments) == 1
    errors, told = lines(capsys)
    assert "too long; use a shorter --suffix" in errors[-1]
    assert "1 restored, 1 failed" in told


@pytest.mark.parametrize("mark", ["\n", "\x1b[31m", "\r", "\u202e", "\udcff"])
def test_control_characters_of_names_are_escaped(tmp_path, photos, capsys, mark):
    (photos / f"bad{mark}name.png").write_bytes(b"")
    assert deblur("-i", photos, "-o", tmp_path / "out") == 1
    errors, _ = lines(capsys)
    assert len(errors) == 1
    assert all(character.isprintable() for character in errors[0])
    assert mark.encode("unicode_escape").decode() in errors[0]


def test_a_second_run_leaves_its_own_outputs_alone(tmp_path, photos, capsys):
    arguments = ("-i", photos, "-o", photos, "--suffix", "_sharp")
    assert deblur(*arguments) == 0
    assert deblur(*arguments, "--skip-existing") == 0
    told = lines(capsys)[1].splitlines()
    assert told[1] == "1 skipped; left out: 1 outputs of an earlier run"
    assert deblur(*arguments, "--overwrite") == 0
    assert sorted(os.listdir(photos)) == ["good.png", "good_sharp.png"]
    assert value(photos / "good_sharp.png") == 200


def test_what_killed_runs_left_is_removed(tmp_path, photos):
    out = tmp_path / "out"
    out.mkdir()
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    (out / f".{process.pid}.0123abcd.partial").write_bytes(b"half")
    assert deblur("-i", photos, "-o", out) == 0
    assert os.listdir(out) == ["good.png"]


def test_several_files_go_to_one_folder(tmp_path, photos, capsys):
    other = save(tmp_path / "b.png", 1)
    sources = (photos / "good.png", other)
    assert deblur("-i", *sources, "-o", tmp_path / "out") == 0
    assert sorted(os.listdir(tmp_path / "out")) == ["b.png", "good.png"]
    assert deblur("-i", *sources, "-o", tmp_path / "one.png") == 2
    assert "give a folder as -o" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, said",
    [
        (("-o", "out", "--suffix", "a/b"), "must not hold a slash"),
        (("-o", ""), "is empty"),
        (("-o", "out", "-t", "many"), "must be 0 or a number of pixels"),
        (("-o", "out", "-i", ""), "is empty"),
    ],
)
def test_mistakes_in_flags_are_usage_errors(photos, capsys, arguments, said):
    with pytest.raises(SystemExit) as caught:
        cli.main(["deblur", "-i", str(photos), *arguments])
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("name", ["x.jxl", "x.psd", "x.dng", "x.gif"])
def test_outputs_of_other_formats_are_usage_errors(tmp_path, photos, capsys, name):
    assert deblur("-i", photos / "good.png", "-o", tmp_path / name) == 2
    assert "is not written; use .png, .tif or .jpg" in capsys.readouterr().err
    assert not (tmp_path / name).exists()


def test_two_names_of_one_format_agree(tmp_path, photos, capsys):
    source = photos / "good.png"
    assert deblur("-i", source, "-o", tmp_path / "x.jpeg", "--ext", "jpg") == 0
    assert abs(value(tmp_path / "x.jpeg") - 200) <= 2
    assert deblur("-i", source, "-o", tmp_path / "x.jpeg", "--ext", "png") == 2
    assert "--ext disagree" in capsys.readouterr().err


def test_metadata_survive_the_whole_command(tmp_path, capsys):
    source = tmp_path / "in"
    source.mkdir()
    files = photograph_files.all_files()
    for name, data in files.items():
        (source / f"{name.replace('.', '_')}.{name.split('.')[-1]}").write_bytes(data)
    assert deblur("-i", source, "-o", tmp_path / "out") == 0
    assert lines(capsys)[1] == f"{len(files)} restored"
    written = (tmp_path / "out" / "uint16_tif.tif").read_bytes()
    assert "Größe".encode() in written and b"J\xf6rg" in written
    restored = value(tmp_path / "out" / "8_3_png.png")
    assert restored == 255 - value(source / "8_3_png.png")
    assert np.isfinite(restored)


def test_libraries_do_not_chatter_on_the_error_output(tmp_path, photos, capfd):
    data = bytearray(photograph_files.tiff_files()["pillow_tiff_lzw.tif"])
    data[8:200] = bytes(192)
    (photos / "damaged.tif").write_bytes(data)
    assert deblur("-i", photos, "-o", tmp_path / "out") == 1
    errors = capfd.readouterr().err.strip().splitlines()
    assert len(errors) == 1 and "damaged.tif: cannot be read" in errors[0]


@pytest.mark.parametrize(
    "error, remedy",
    [
        (MemoryError(), True),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes"), True),
        (RuntimeError("OOM when allocating tensor with shape[1,9]"), True),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("the compression is unknown"), False),
        (OSError("the folder went away"), False),
    ],
)
def test_smaller_tiles_are_the_remedy_of_little_memory_only(
    tmp_path, photos, monkeypatch, capsys, error, remedy
):
    def fail(path):
        raise error

    monkeypatch.setattr(photo_jobs, "read_image", fail)
    assert deblur("-i", photos, "-o", tmp_path / "out") == 1
    errors, _ = lines(capsys)
    assert ("-t" in errors[0]) == remedy
    assert len(errors) == 1


def test_a_limit_that_is_no_number_is_said_once(tmp_path, photos, monkeypatch, capsys):
    monkeypatch.setenv("TF_DEFOCUS_MAX_MEGAPIXELS", "a lot")
    assert deblur("-i", photos, photos, "-o", tmp_path / "out") == 2
    errors, _ = lines(capsys)
    assert len(errors) == 1 and "'a lot'; expected a positive number" in errors[0]


@pytest.mark.parametrize(
    "tree",
    [dataset_trees.dpdd_official, dataset_trees.dpdd_pixel, dataset_trees.dpd_disp],
)
@pytest.mark.parametrize("views", [("left", "right"), ("blurred", "left", "right")])
def test_dual_networks_find_the_scenes_of_published_folders(tree, views, tmp_path):
    naming = photo_jobs.Naming(tmp_path / "output")
    folder = tree(tmp_path, 2)
    jobs, _ = photo_jobs.find_jobs([folder], views, naming)
    assert len(jobs) == 2
    for job in jobs:
        assert tuple(job.views) == views and not job.problem
        scene = {
            path.stem.rpartition("_")[0] or path.stem for path in job.views.values()
        }
        letters = [path.stem[-2:] for path in job.views.values()]
        assert letters[-2:] == ["_L", "_R"] and len(scene) == 1


def test_single_networks_take_the_combined_photographs_of_published_folders(tmp_path):
    naming = photo_jobs.Naming(tmp_path / "output")
    folder = dataset_trees.dpdd_official(tmp_path, 2)
    jobs, _ = photo_jobs.find_jobs([folder], ("blurred",), naming)
    assert [job.views["blurred"].parent.parent.name for job in jobs] == ["test_c"] * 2
