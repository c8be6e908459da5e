"""Files of people's cameras and programs, and hostile ones: what each must give."""

import json
import re
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest

from tests.testing import ROOT, case_file
from tf_defocus.images.files import convert_for, read_image, write_image
from tf_defocus.images.refusals import ImageFileError

FOREIGN = {
    "b.exr": r"EXR.*save it as",
    "b.jxl": r"JPEG XL.*save it as",
    "b.psd": r"PSD.*save it as",
    "raw.cr3": r"LibRaw does not know.*develop",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_formats_are_named_with_the_remedy(name):
    with pytest.raises(ImageFileError, match=FOREIGN[name]):
        read_image(case_file(f"files/foreign/{name}"))


@pytest.mark.parametrize("name", ["a.avif", "iphone.heic"])
def test_pictures_of_phones_and_programs_are_read(name):
    image = read_image(case_file(f"files/foreign/{name}"))
    assert image.pixels.shape == (72, 104, 3) and image.notes == ()
    assert 20 < image.pixels.std() < 100


@pytest.mark.parametrize("name", ["photo.dng", "raw.cr2", "raw.nef"])
def test_raw_files_are_developed_and_not_their_thumbnail(name):
    image = read_image(case_file(f"files/foreign/{name}"))
    assert image.pixels.shape == (72, 104, 3) and image.pixels.dtype == np.uint16
    assert image.format == "raw"


@pytest.mark.parametrize("name", ["photo.dng", "raw.cr2", "raw.nef"])
def test_raw_files_renamed_to_tiff_never_give_their_thumbnail(tmp_path, name):
    path = tmp_path / "photo.tif"
    path.write_bytes(case_file(f"files/foreign/{name}").read_bytes())
    with pytest.raises(ImageFileError, match=r"raw data.*develop it"):
        read_image(path)


@pytest.mark.parametrize(
    "name",
    [
        "png/exif_and_xmp_o6_attribute.png",
        "png/exif_and_xmp_o6_element.png",
        "png/raw_profile_exif_o6.png",
        "jpeg/exif_and_xmp_o6.jpg",
        "jpeg/exif_and_xmp_element_o8.jpg",
        "tiff/u8_xmp_o6.tif",
    ],
)
def test_a_turned_picture_is_upright_wherever_it_says_so(tmp_path, name):
    source = case_file(f"files/{name}")
    image = read_image(source)
    assert image.pixels.shape[:2] in ((104, 72), (72, 104))
    assert image.notes == ()
    written = tmp_path / source.name
    write_image(written, convert_for(image, written))
    with PIL.Image.open(written) as restored:
        assert restored.getexif().get(274, 1) == 1
    for value in re.findall(rb"Orientation(?:=\"|>)(\d)", written.read_bytes()):
        assert value == b"1"


@pytest.mark.parametrize(
    "name, chunks",
    [
        ("gama_22_chrm_adobe.png", ["gAMA", "cHRM"]),
        ("gama_chrm_16.png", ["gAMA", "cHRM"]),
        ("gama_linear_16.png", ["gAMA"]),
        ("gama_linear_8.png", ["gAMA"]),
        ("phys_300dpi_16.png", ["pHYs"]),
        ("phys_300dpi_8.png", ["pHYs"]),
    ],
)
def test_colours_and_resolution_of_png_are_kept(tmp_path, name, chunks):
    source = case_file(f"files/png/{name}")
    write_image(tmp_path / "a.png", read_image(source))
    before, after = source.read_bytes(), (tmp_path / "a.png").read_bytes()
    for chunk in map(str.encode, chunks):
        start, end = before.index(chunk), after.index(chunk)
        length = int.from_bytes(before[start - 4 : start], "big") + 8
        assert before[start - 4 : start + length] == after[end - 4 : end + length]


@pytest.mark.parametrize("name", ["iccp_bad_crc", "text_bad_crc", "time_bad_crc_16"])
@pytest.mark.parametrize("part", ["side", "picture"])
def test_damage_costs_the_side_chunk_but_not_the_picture(tmp_path, name, part):
    source = case_file(f"files/png/{name}.png")
    if part == "side":
        image = read_image(source)
        assert len(image.notes) == 1 and "was dropped" in image.notes[0]
        assert image.pixels.std() > 1
        return
    data = bytearray(source.read_bytes())
    data[data.rindex(b"IDAT") + 100] ^= 1
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(ImageFileError, match=r"IDAT.* is damaged; get the file again"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["iccp_garbage.png", "iccp_no_name_end.png"])
def test_a_profile_that_is_none_is_dropped_and_said(name):
    image = read_image(case_file(f"files/png/{name}"))
    assert image.icc is None
    assert "iCCP" in image.notes[0]


def straight(values):
    """The picture that all cases hold, in levels of 8 bits."""
    full = 1 if values.dtype.kind == "f" else np.iinfo(values.dtype).max
    return values.astype(np.float64) / full * 255


@pytest.mark.parametrize(
    "name",
    [
        "f32_lzma_pred",
        "f32_planar_lzw",
        "f32_zstd",
        "u16_planar_lzw",
        "u16_zstd",
        "u16_zstd_pred",
    ],
)
def test_compressions_give_the_picture_of_an_uncompressed_file(name):
    plain = straight(read_image(case_file("files/tiff/u8_accents_utf-8.tif")).pixels)
    image = read_image(case_file(f"files/tiff/{name}.tif"))
    assert np.abs(straight(image.pixels) - plain).max() < 0.501


@pytest.mark.parametrize("name", ["f32_rgba", "u16_rgba"])
def test_multiplied_colours_are_divided_by_alpha(name):
    plain = straight(read_image(case_file("files/tiff/u8_accents_utf-8.tif")).pixels)
    image = read_image(case_file(f"files/tiff/{name}_assoc.tif"))
    opaque = straight(image.alpha) > 25
    assert np.abs(straight(image.pixels) - plain)[opaque].max() < 1
    assert "divided" in image.notes[0]


@pytest.mark.parametrize("name", ["f32_0_255", "f32_0_65535"])
def test_floats_on_another_scale_are_refused(name):
    scale = name.split("_")[-1]
    with pytest.raises(ImageFileError, match=rf"values up to \d.*divide by {scale}$"):
        read_image(case_file(f"files/tiff/{name}.tif"))


@pytest.mark.parametrize("name", ["xmp_100k.png", "exif_80k.png"])
def test_what_is_too_long_for_jpeg_is_split_or_said(tmp_path, name):
    image = convert_for(read_image(case_file(f"files/convert_to_jpg/{name}")), "a.jpg")
    assert len(image.notes) == 1
    write_image(tmp_path / "a.jpg", image)
    again = read_image(tmp_path / "a.jpg")
    if name.startswith("xmp"):
        assert "split in two" in image.notes[0]
        assert len(again.xmp) > 100_000
    else:
        assert "maker's note was dropped" in image.notes[0]
        assert len(again.exif) < 1000


HOSTILE = """
import json, resource, sys, time
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
from tf_defocus.images.files import read_image
from tf_defocus.images.refusals import ImageFileError
told = {}
for path in sys.argv[1:]:
    start = time.perf_counter()
    try:
        outcome = str(read_image(path).pixels.shape)
    except ImageFileError as error:
        outcome = str(error)
    told[path] = (outcome, time.perf_counter() - start)
status = open("/proc/self/status").read()  # rusage keeps the parent's peak
peak = int(status.split("VmHWM:")[1].split()[0]) * 1024
print(json.dumps([told, peak]))
"""


def test_hostile_files_cost_neither_time_nor_memory():
    folder = case_file("hostile")
    paths = sorted(p for p in folder.iterdir() if p.suffix in (".tif", ".jpg"))
    result = subprocess.run(
        [sys.executable, "-c", HOSTILE, *map(str, paths)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=True,
    )
    told, peak = json.loads(result.stdout)
    for path, (outcome, seconds) in told.items():
        assert seconds < 5, path
        assert "cannot be read: " in outcome or "chroma" in path
        assert "\n" not in outcome
    assert peak < 1 << 30
