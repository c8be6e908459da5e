"""The command: bad files are named, good ones restored, the exit code tells."""

import errno
import os

import numpy as np
import PIL.Image
import pytest

from tf_defocus import cli
from tf_defocus.images import files
from tf_defocus.images.files import Image, read_image, write_image
from tf_defocus.models import presets
from tf_defocus.models.base import RestorationNetwork
from tf_defocus.restoration import photo_jobs


class Inverting(RestorationNetwork):
    """One minus the photograph: exact at every depth, and seen when it is missing."""

    view_names = ("blurred",)
    size_multiple = (8, 8)
    receptive_field = 1

    def call(self, inputs):
        return {"deblurred": 1 - inputs["blurred"]}


class RightView(Inverting):
    """Returns the right view, to see which file became which."""

    view_names = ("blurred", "left", "right")

    def call(self, inputs):
        return {"deblurred": inputs["right"] + 0 * inputs["blurred"]}


@pytest.fixture
def single(monkeypatch):
    """Every preset is `Inverting`."""
    monkeypatch.setattr(presets, "load_preset", lambda name: Inverting())


@pytest.fixture
def dual(monkeypatch):
    """Every preset is `RightView`."""
    monkeypatch.setattr(presets, "load_preset", lambda name: RightView())


def deblur(*arguments):
    """The command, with every change of the network applied as it is."""
    plain = ["--scales", "1", "--no-protect-sharp"]
    return cli.main(["deblur", "-q", *plain, *map(str, arguments)])


def save(path, value, size=(5, 7), dtype=np.uint8):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, Image(np.full((*size, 3), value, dtype)))
    return path


def value(path):
    return int(read_image(path).pixels[0, 0, 0])


def test_an_ensemble_averages_left_and_right_views(tmp_path, dual):
    """`RightView` sees the left view as the right one in two of four orientations."""
    names = {"combined": 10, "left": 40, "right": 80}
    files = {name: save(tmp_path / f"{name}.png", v) for name, v in names.items()}
    given = ["-i", files["combined"], "--left", files["left"]]
    given += ["--right", files["right"]]
    assert deblur(*given, "-o", tmp_path / "single.png") == 0
    assert deblur(*given, "-o", tmp_path / "averaged.png", "--ensemble") == 0
    assert value(tmp_path / "single.png") == 80
    assert value(tmp_path / "averaged.png") == 60


def test_one_file_goes_to_a_folder_or_to_a_named_file(tmp_path, single):
    source = save(tmp_path / "a.png", 55)
    assert deblur("-i", source, "-o", tmp_path / "out") == 0
    assert value(tmp_path / "out" / "a.png") == 200
    assert deblur("-i", source, "-o", tmp_path / "b.tif") == 0
    assert value(tmp_path / "b.tif") == 200


@pytest.mark.parametrize("extension", ["png", "tif"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_depth_grey_and_alpha_survive(tmp_path, single, rng, extension, dtype):
    full = np.iinfo(dtype).max
    grey = rng.integers(0, full, (13, 17, 1), dtype=dtype).repeat(3, axis=2)
    alpha = rng.integers(0, full, (13, 17), dtype=dtype)
    write_image(tmp_path / f"a.{extension}", Image(grey, alpha, is_gray=True))
    out = tmp_path / "out"
    assert deblur("-i", tmp_path / f"a.{extension}", "-o", out) == 0
    image = read_image(out / f"a.{extension}")
    assert image.is_gray
    np.testing.assert_array_equal(image.pixels, full - grey)
    np.testing.assert_array_equal(image.alpha, alpha)


def test_folder_does_all_good_files_and_names_the_bad_ones(tmp_path, single, capsys):
    photos = tmp_path / "photos"
    save(photos / "a.png", 55)
    save(photos / "z.jpg", 55)
    (photos / "empty.png").write_bytes(b"")
    (photos / "half.png").write_bytes((photos / "a.png").read_bytes()[:-20])
    (photos / "wrong.tif").write_bytes((photos / "a.png").read_bytes())
    (photos / "notes.txt").write_text("not a photograph")
    assert deblur("-i", photos, "-o", tmp_path / "out") == 1
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.png", "z.jpg"]
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 3
    for line, name in zip(lines, ("empty.png", "half.png", "wrong.tif")):
        assert f"{photos / name}: cannot be read" in line
    assert "rename it to wrong.png" in lines[2]


def test_recursion_mirrors_the_tree_and_leaves_the_output_out(tmp_path, single):
    save(tmp_path / "a.png", 55)
    save(tmp_path / "deep" / "b.png", 55)
    out = tmp_path / "out"
    assert deblur("-i", tmp_path, "-o", out) == 0
    assert not (out / "deep").exists()
    assert deblur("-i", tmp_path, "-o", out, "-r", "--overwrite") == 0
    assert value(out / "deep" / "b.png") == 200
    assert not (out / "out").exists()


def test_suffix_and_extension_name_the_output(tmp_path, single, capsys):
    source = save(tmp_path / "a.tif", 55 * 257, dtype=np.uint16)
    arguments = ("-i", source, "-o", tmp_path / "out", "--suffix", "_sharp")
    assert deblur(*arguments, "--ext", "jpg") == 0
    assert abs(value(tmp_path / "out" / "a_sharp.jpg") - 200) <= 2
    assert "uint16 was converted to uint8" in capsys.readouterr().err


def test_existing_output_is_refused_skipped_or_replaced(tmp_path, single, capsys):
    source, out = save(tmp_path / "a.png", 55), tmp_path / "out"
    save(out / "a.png", 1)
    assert deblur("-i", source, "-o", out) == 1
    assert "add --overwrite or --skip-existing" in capsys.readouterr().err
    assert deblur("-i", source, "-o", out, "--skip-existing") == 0
    assert "1 skipped" in capsys.readouterr().out
    assert value(out / "a.png") == 1
    assert deblur("-i", source, "-o", out, "--overwrite") == 0
    assert value(out / "a.png") == 200


def test_a_photograph_is_never_replaced_by_its_output(tmp_path, single, capsys):
    source = save(tmp_path / "a.png", 55)
    assert deblur("-i", source, "-o", tmp_path, "--overwrite") == 1
    assert "give --suffix or another -o" in capsys.readouterr().err
    assert value(source) == 55


def test_two_photographs_never_share_an_output(tmp_path, single, capsys):
    save(tmp_path / "in" / "a.jpg", 55)
    save(tmp_path / "in" / "a.png", 55)
    arguments = ("-i", tmp_path / "in", "-o", tmp_path / "out", "--ext", "png")
    assert deblur(*arguments) == 1
    assert "has the same output as" in capsys.readouterr().err


def test_full_disk_leaves_nothing_and_fails(tmp_path, single, monkeypatch, capsys):
    def fail(file, *_):
        file.write(b"half a file")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    source, out = save(tmp_path / "a.png", 55), tmp_path / "out"
    monkeypatch.setattr(files, "encode", fail)
    assert deblur("-i", source, "-o", out) == 1
    assert f"{out / 'a.png'}: the disk is full; free" in capsys.readouterr().err
    assert list(out.iterdir()) == []


def test_output_below_a_file_fails_with_a_remedy(tmp_path, single, capsys):
    source = save(tmp_path / "a.png", 55)
    (tmp_path / "file").write_bytes(b"")
    assert deblur("-i", source, "-o", tmp_path / "file" / "out") == 1
    assert "choose another -o" in capsys.readouterr().err


def test_cmyk_is_said(tmp_path, single, capsys):
    PIL.Image.new("CMYK", (9, 9)).save(tmp_path / "a.jpg")
    assert deblur("-i", tmp_path / "a.jpg", "-o", tmp_path / "out") == 0
    assert "a.jpg: CMYK was converted to RGB" in capsys.readouterr().err


def test_unforeseen_failure_of_one_file_spares_the_others(
    tmp_path, single, monkeypatch, capsys
):
    save(tmp_path / "in" / "a.png", 1)
    save(tmp_path / "in" / "b.png", 55)
    original = photo_jobs.read_image

    def fragile(path):
        if path.name == "a.png":
            raise RuntimeError("allocator\nran out")
        return original(path)

    monkeypatch.setattr(photo_jobs, "read_image", fragile)
    assert deblur("-i", tmp_path / "in", "-o", tmp_path / "out") == 1
    assert value(tmp_path / "out" / "b.png") == 200
    assert "a.png: RuntimeError: allocator ran out\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error", [MemoryError("x"), RuntimeError("RESOURCE_EXHAUSTED: OOM when allocating")]
)
def test_smaller_tiles_are_advised_where_memory_ran_out(
    tmp_path, single, monkeypatch, capsys, error
):
    def fail(path):
        raise error

    monkeypatch.setattr(photo_jobs, "read_image", fail)
    assert deblur("-i", save(tmp_path / "a.png", 1), "-o", tmp_path / "out") == 1
    assert "out of memory; try smaller tiles, such as -t 512" in capsys.readouterr().err


def test_the_input_is_looked_at_before_the_preset(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(presets, "load_preset", lambda name: pytest.fail("too early"))
    save(tmp_path / "a.png", 1)
    missing = tmp_path / "nowhere.png"
    assert deblur("-i", missing, "-o", tmp_path / "out") == 2
    views = ("--left", missing, "--right", missing)
    assert deblur("-i", tmp_path / "a.png", *views, "-o", tmp_path / "out") == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and all("nowhere.png: does not exist" in x for x in lines)


def test_dual_pixel_file_takes_its_views_by_flags(tmp_path, dual, capsys):
    paths = [save(tmp_path / f"{n}.png", i) for i, n in enumerate("abc")]
    out = ("-o", tmp_path / "out")
    flags = ("--left", paths[1], "--right", paths[2])
    assert deblur("-i", paths[0], *out, *flags) == 0
    assert value(tmp_path / "out" / "a.png") == 2
    assert deblur("-i", paths[0], *out, *flags[:2]) == 2
    assert "add --right FILE" in capsys.readouterr().err


def test_views_of_different_sizes_are_refused(tmp_path, dual, capsys):
    a, b = save(tmp_path / "a.png", 1), save(tmp_path / "b.png", 1)
    c = save(tmp_path / "c.png", 1, size=(5, 8))
    arguments = ("-i", a, "-o", tmp_path / "out", "--left", b, "--right", c)
    assert deblur(*arguments) == 1
    assert f"{a}: Views must be alike" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_order_of_the_views_is_told_on_demand(tmp_path, dual, capsys, rng):
    texture = rng.integers(0, 256, (96, 128, 3)).astype("uint8")
    paths = [tmp_path / f"{name}.png" for name in ("blurred", "left", "right")]
    for path, shift in zip(paths, (0, 2, -2)):  # left 4 px right of right: in front
        write_image(path, Image(np.roll(texture, shift, axis=1)))
    flags = ("--left", paths[1], "--right", paths[2], "--check-views")
    assert deblur("-i", paths[0], "-o", tmp_path / "out", *flags) == 0
    assert "left and right may be exchanged: 100 %" in capsys.readouterr().err
    flags = ("--left", paths[2], "--right", paths[1], "--check-views", "--overwrite")
    assert deblur("-i", paths[0], "-o", tmp_path / "out", *flags) == 0
    assert "left and right are in the expected order" in capsys.readouterr().err


def test_a_single_view_has_no_order(tmp_path, single, capsys):
    photo = save(tmp_path / "a.png", 1)
    assert deblur("-i", photo, "-o", tmp_path / "out", "--check-views") == 2
    assert "needs a preset for left and right views" in capsys.readouterr().err


def test_folder_of_scenes(tmp_path, dual, capsys):
    scenes = tmp_path / "scenes"
    for number, scene in enumerate(("one", "two")):
        for view in ("combined", "left", "right"):
            save(scenes / scene / f"{view}.png", 10 * number + len(view))
    save(scenes / "three" / "combined.png", 0)
    save(scenes / "three" / "left.png", 0)
    out = tmp_path / "out"
    assert deblur("-i", scenes, "-o", out) == 1
    assert value(out / "one" / "combined.png") == len("right")
    assert value(out / "two" / "combined.png") == 10 + len("right")
    assert "lacks its right view" in capsys.readouterr().err
    assert not (out / "three").exists()


def test_flat_folders_of_views(tmp_path, dual, capsys):
    for view in ("combined", "left", "right"):
        save(tmp_path / view / "a.png", len(view))
    save(tmp_path / "left" / "b.png", 0)
    out = tmp_path / "out"
    assert deblur("-i", tmp_path, "-o", out) == 1
    assert value(out / "a.png") == len("right")
    assert "lacks its blurred and right view" in capsys.readouterr().err


def test_views_for_a_single_view_model_are_a_usage_error(tmp_path, single, capsys):
    source = save(tmp_path / "a.png", 55)
    assert deblur("-i", source, "-o", tmp_path / "out", "--left", source) == 2
    assert "--left is not used by this model" in capsys.readouterr().err


def test_missing_and_empty_inputs_are_usage_errors(tmp_path, single, capsys):
    assert deblur("-i", tmp_path / "nowhere", "-o", tmp_path / "out") == 2
    assert "nowhere: does not exist" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert deblur("-i", tmp_path / "empty", "-o", tmp_path / "out") == 2
    assert "holds no photographs; add -r" in capsys.readouterr().err


def test_wrong_command_lines_exit_with_two(tmp_path):
    for arguments in ([], ["deblur"], ["deblur", "-i", "a", "-o", "b", "-t", "-1"]):
        with pytest.raises(SystemExit) as caught:
            cli.main(arguments)
        assert caught.value.code == 2


def test_progress_bar_counts_photographs(tmp_path, single, capsys):
    for name in "abc":
        save(tmp_path / "in" / f"{name}.png", 55)
    out = tmp_path / "out"
    assert cli.main(["deblur", "-i", str(tmp_path / "in"), "-o", str(out)]) == 0
    captured = capsys.readouterr()
    assert "3.0/3" in captured.err
    assert captured.out.strip() == "3 restored"
