"""Strength 0: every format, depth and colour profile comes out with the same pixels.

They are compared as other programs decode them, before and after.
"""

import io
import zlib

import cv2
import numpy as np
import PIL.Image
import pillow_heif
import pytest
import tifffile

from tests.images import modern_files
from tests.images import photograph_files as made
from tests.images.profile_files import PROFILES
from tf_defocus.images.files import read_image
from tf_defocus.restoration import over_scales
from tf_defocus.restoration.photo_control import PhotoControl
from tf_defocus.restoration.photo_jobs import Naming, find_jobs, run_job


class Unchanged:
    """A restorer that does as `Restorer` does at strength 0."""

    view_names = ("blurred",)

    def restore(self, on_progress, strength, **views):
        assert strength == 0
        return over_scales.leave(views)


def heic(bits, profile):
    return modern_files.heic(bits, 3, icc_profile=profile)


def lossy_heic(bits, profile):
    options = {"quality": 80, "chroma": 420, "matrix_coefficients": 6}
    return modern_files.heic(bits, 3, icc_profile=profile, **options)


def png(dtype, profile, channels=3):
    chunk = (b"iCCP", b"mine\0\0" + zlib.compress(profile))
    return made.png_file(made.samples(dtype, channels), chunk)


def by_pillow(form, profile, channels=3, **options):
    samples = made.samples(channels=channels)
    return modern_files.by_pillow(samples, form, icc_profile=profile, **options)


def tiff(dtype, profile):
    return made.tiff_file(made.samples(dtype), iccprofile=profile)


def bmp(profile):
    data = modern_files.bmp_files()["8_4.bmp"]
    return data.replace(PROFILES["adobe"], profile.ljust(len(PROFILES["adobe"]), b"\0"))


EXACT = {"lossless": True, "exact": True}
MADE = {
    "png8.png": lambda p: png("uint8", p),
    "png16.png": lambda p: png("uint16", p),
    "alpha16.png": lambda p: png("uint16", p, 4),
    "tiff8.tif": lambda p: tiff("uint8", p),
    "tiff16.tif": lambda p: tiff("uint16", p),
    "float.tif": lambda p: tiff("float32", p),
    "photo.jpg": lambda p: made.jpeg_file(made.samples(), *made.icc_segments(p)),
    "lossless.webp": lambda p: by_pillow("WEBP", p, **EXACT),
    "alpha.webp": lambda p: by_pillow("WEBP", p, 4, **EXACT),
    "lossy.webp": lambda p: by_pillow("WEBP", p, quality=80),
    "photo.avif": lambda p: by_pillow("AVIF", p, quality=80),
    "photo.heic": lambda p: lossy_heic(8, p),
    "lossless8.heic": lambda p: heic(8, p),
    "lossless10.heic": lambda p: heic(10, p),
    "lossy12.heic": lambda p: lossy_heic(12, p),
}


def decoded(path):
    """The samples of a file, as another program reads them."""
    if path.suffix == ".tif":
        return tifffile.imread(path)
    if path.suffix == ".heic":
        found = pillow_heif.open_heif(path, convert_hdr_to_8bit=False)
        return np.asarray(found)
    if path.suffix == ".avif" or "16" in path.name:
        data = np.frombuffer(path.read_bytes(), np.uint8)
        return cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    return np.asarray(PIL.Image.open(io.BytesIO(path.read_bytes())))


def through(folder, name, data):
    """The paths of the file before and after the command at strength 0, and notes."""
    (folder / "in").mkdir()
    source = folder / "in" / name
    source.write_bytes(data)
    naming = Naming(folder / "out")
    (job,), _ = find_jobs([folder / "in"], ("blurred",), naming)
    notes = run_job(job, Unchanged(), control=PhotoControl(strength=0.0))
    return source, job.output, notes


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", MADE)
def test_pixels_of_every_format_and_profile_stay(tmp_path, name, profile):
    source, output, notes = through(tmp_path, name, MADE[name](PROFILES[profile]))
    assert notes == ()
    before, after = decoded(source), decoded(output)
    assert before.dtype == after.dtype and before.std() > 0
    np.testing.assert_array_equal(after, before)
    assert read_image(output).icc == PROFILES[profile]


FILES = modern_files.all_files()
STAY = [name for name in FILES if not name.endswith((".dng", ".tif", ".png"))]


@pytest.mark.parametrize("name", STAY)
def test_every_file_stays_as_it_is_read(tmp_path, name):
    source, output, _ = through(tmp_path, name, FILES[name])
    before, after = read_image(source), read_image(output)
    np.testing.assert_array_equal(after.pixels, before.pixels)
    if before.alpha is not None:
        np.testing.assert_array_equal(after.alpha, before.alpha)
    assert (after.bits, after.icc) == (before.bits, before.icc)
    assert before.lossy == (output.read_bytes() == FILES[name])


def test_a_raw_file_becomes_a_tiff_file_of_sixteen_bits(tmp_path):
    source, output, notes = through(tmp_path, "plain.dng", FILES["plain.dng"])
    assert output.name == "plain.tif" and "developed" in notes[0]
    np.testing.assert_array_equal(decoded(output), read_image(source).pixels)


def test_a_folder_of_all_kinds_is_restored_whole(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("lossless.webp", "8_3.bmp", "8_3.avif", "8_3.heic", "plain.dng"):
        (folder / f"{name.replace('.', '_')}.{name.split('.')[1]}").write_bytes(
            FILES[name]
        )
    jobs, left_out = find_jobs([folder], ("blurred",), Naming(tmp_path / "out"))
    assert len(jobs) == 5 and not left_out.total()
    for job in jobs:
        run_job(job, Unchanged(), control=PhotoControl(strength=0.0))
    written = {path.suffix for path in (tmp_path / "out").iterdir()}
    assert written == {".webp", ".bmp", ".avif", ".heic", ".tif"}


@pytest.mark.parametrize(
    "name, segments, rest, said",
    [
        ("a.mpo", [(0xE2, b"MPF\0II*\0\x08\0\0\0\0\0")], True, "second picture"),
        ("a.jpg", [(0xE2, b"urn:iso:std:iso:ts:21496:-1\0\0\0")], True, "gain map"),
    ],
)
def test_second_pictures_of_jpeg_are_said_in_one_line(
    tmp_path, name, segments, rest, said
):
    second = made.jpeg_file(made.samples(channels=1)) if rest else b""
    data = made.jpeg_file(made.samples(), *segments, rest=second)
    (tmp_path / name).write_bytes(data)
    image = read_image(tmp_path / name)
    plain = tmp_path / "plain.jpg"
    plain.write_bytes(made.jpeg_file(made.samples()))
    np.testing.assert_array_equal(image.pixels, read_image(plain).pixels)
    assert len(image.notes) == 1 and said in image.notes[0]
