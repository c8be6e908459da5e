"""What a photographer may say: strength, mask, map, protection, device, precision."""

import numpy as np
import pytest

from tests.cli_test import Inverting, save
from tf_defocus import cli
from tf_defocus.images import levels
from tf_defocus.images.files import Image, read_image, write_image
from tf_defocus.images.refusals import ImageFileError
from tf_defocus.models import presets
from tf_defocus.restoration import photo_control


@pytest.fixture(autouse=True)
def single(monkeypatch):
    """Every preset is `Inverting`."""
    monkeypatch.setattr(presets, "load_preset", lambda name: Inverting())


def deblur(*arguments):
    return cli.main(["deblur", "-q", *map(str, arguments)])


def noise(path, rng, dtype, size=(33, 41)):
    write_image(path, Image(levels.to_levels(rng.random((*size, 3)), dtype)))
    return path


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("a.png", "uint8"),
        ("a.png", "uint16"),
        ("a.tif", "uint8"),
        ("a.tif", "uint16"),
        ("a.tif", "float32"),
        ("a.jpg", "uint8"),
    ],
)
def test_strength_0_returns_every_pixel(tmp_path, rng, name, dtype):
    source = noise(tmp_path / name, rng, dtype)
    assert deblur("-i", source, "-o", tmp_path / "out", "--strength", "0") == 0
    out = read_image(tmp_path / "out" / name)
    assert out.pixels.dtype == dtype
    np.testing.assert_array_equal(out.pixels, read_image(source).pixels)


def test_the_mask_says_where(tmp_path, rng):
    source = noise(tmp_path / "a.png", rng, "uint16")
    white = np.zeros((33, 41, 3), np.uint8)
    white[:, 20:] = 255
    write_image(tmp_path / "mask.png", Image(white))
    plain = ["--scales", "1", "--no-protect-sharp"]
    arguments = ["-i", source, "-o", tmp_path / "out", "--mask", tmp_path / "mask.png"]
    assert deblur(*arguments, *plain) == 0
    before, after = (read_image(p).pixels for p in (source, tmp_path / "out" / "a.png"))
    np.testing.assert_array_equal(after[:, :20], before[:, :20])
    np.testing.assert_allclose(
        after[:, 20:], 65535 - before[:, 20:].astype(int), atol=1
    )


def test_a_mask_of_another_size_is_refused(tmp_path, capsys):
    source = save(tmp_path / "photo.png", 55)
    mask = save(tmp_path / "mask.png", 255, size=(7, 5))
    assert deblur("-i", source, "-o", tmp_path / "out", "--mask", mask) == 1
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 1
    assert "mask.png: the mask is 5x7" in errors[0]
    assert "photo.png is 7x5; give a mask as large as the photograph" in errors[0]
    assert not (tmp_path / "out").exists()


def test_a_missing_mask_is_said_before_anything_is_loaded(tmp_path, capsys):
    source = save(tmp_path / "photo.png", 55)
    mask = tmp_path / "no.png"
    assert deblur("-i", source, "-o", tmp_path / "out", "--mask", mask) == 2
    assert "no.png: does not exist" in capsys.readouterr().err


def test_the_defocus_map_of_one_photograph(tmp_path, rng):
    source = noise(tmp_path / "a.jpg", rng, "uint8", (40, 48))
    target = tmp_path / "maps" / "map.png"
    assert deblur("-i", source, "-o", tmp_path / "o", "--defocus-map", target) == 0
    grey, picture = read_image(target), read_image(tmp_path / "maps/map_colours.png")
    assert grey.is_gray
    assert grey.pixels.dtype == np.uint16
    assert grey.pixels.shape == picture.pixels.shape == (40, 48, 3)
    assert 256 <= grey.pixels.min() <= grey.pixels.max() <= 128 * 256
    assert b"value / 256" in target.read_bytes()


def test_the_defocus_maps_of_a_folder_lie_as_the_outputs_do(tmp_path, capsys):
    for name in ("a.png", "a.tif", "deeper/a.png"):
        save(tmp_path / "in" / name, 55, size=(40, 40))
    arguments = ["-r", "-i", tmp_path / "in", "-o", tmp_path / "out"]
    assert deblur(*arguments, "--defocus-map", tmp_path / "map.png") == 2
    assert "is one file for several photographs" in capsys.readouterr().err
    assert deblur(*arguments, "--defocus-map", tmp_path / "maps") == 0
    found = sorted(str(p.relative_to(tmp_path / "maps")) for p in grey_maps(tmp_path))
    expected = ["a.png_defocus.png", "a.tif_defocus.png", "deeper/a.png_defocus.png"]
    assert found == expected


def test_a_full_disk_fails_the_photograph_whose_map_it_stops(
    tmp_path, rng, monkeypatch, capsys
):
    def fail(path, image):
        raise ImageFileError(f"{path}: the disk is full; free some space")

    source = noise(tmp_path / "a.png", rng, "uint8", (40, 48))
    monkeypatch.setattr(photo_control, "write_image", fail)
    target = tmp_path / "map.png"
    arguments = ["-i", source, "-o", tmp_path / "out", "--defocus-map", target]
    assert deblur(*arguments) == 1
    assert "map.png: the disk is full" in capsys.readouterr().err
    assert not target.exists()
    assert not (tmp_path / "out").exists()  # so that the same command may run again


def grey_maps(folder):
    return (folder / "maps").rglob("*_defocus.png")


def test_the_map_tells_pixels_and_colours(tmp_path):
    defocus = np.array([[1.0, 2.5], [64.0, 128.0]], np.float32)
    photo_control.write_map(tmp_path / "d.png", defocus)
    pixels = read_image(tmp_path / "d.png").pixels[..., 0]
    np.testing.assert_array_equal(pixels, 256 * defocus)
    colours = read_image(tmp_path / "d_colours.png").pixels.astype(int)
    assert colours[0, 0].argmax() == 2  # in focus: blue
    assert colours[1, 1].argmax() == 0  # widest: red
    assert colours[1, 0, 0] > colours[0, 1, 0]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--strength", "1.5"),
        ("--strength", "nan"),
        ("--strength", "much"),
        ("--scales", "2"),
        ("--device", "tpu"),
        ("--precision", "int8"),
    ],
)
def test_wrong_words_are_usage(tmp_path, option, value):
    source = save(tmp_path / "photo.png", 55)
    with pytest.raises(SystemExit) as stopped:
        deblur("-i", source, "-o", tmp_path / "out", option, value)
    assert stopped.value.code == 2


def test_devices(tmp_path, capsys):
    source = save(tmp_path / "photo.png", 55)
    arguments = ["-i", source, "-o", tmp_path / "out"]
    assert deblur(*arguments, "--device", "cpu") == 0
    assert deblur(*arguments, "--overwrite", "--device", "gpu:7") == 1
    assert "--device gpu:7 is not there; found: cpu:0" in capsys.readouterr().err
