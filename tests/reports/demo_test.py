"""The demonstration's pictures and page."""

import re

import numpy as np

from tf_defocus.evaluation.examples import Example
from tf_defocus.evaluation.scores import Scores
from tf_defocus.images.files import Image, read_image, write_image
from tf_defocus.reports import demo


class Brightener:
    """A stand-in for a Restorer of floats: adds a known amount."""

    view_names = ("blurred",)

    def restore(self, blurred):
        return blurred + np.float32(100 / 65535)


def example(rng):
    sharp = rng.integers(0, 60000, (16, 24, 3), dtype=np.uint16)
    coc = np.linspace(-16, 16, 24)[None, :, None] * np.ones((16, 1, 1))
    return Example("scene", {"blurred": sharp + np.uint16(200)}, sharp, coc)


def test_defocus_is_white_in_focus_red_behind_blue_in_front():
    coc = np.array([[[0.0], [16.0], [40.0], [-16.0], [8.0]]])
    drawn = demo.draw_defocus(coc)[0]
    np.testing.assert_array_equal(drawn[0], [255, 255, 255])
    np.testing.assert_array_equal(drawn[1], [200, 40, 30])
    np.testing.assert_array_equal(drawn[2], drawn[1])
    np.testing.assert_array_equal(drawn[3], [40, 70, 200])
    np.testing.assert_array_equal(drawn[4], [228, 148, 142])


def test_run_writes_every_picture_the_page_names_and_true_scores(
    rng, tmp_path, monkeypatch
):
    made = example(rng)
    monkeypatch.setattr(demo, "examples", lambda: iter([made]))
    scores = demo.run({"brightener": Brightener()}, tmp_path / "demo")
    page = (tmp_path / "demo" / "index.html").read_text()
    pictures = set(re.findall(r'src="([^"]+)"', page))
    assert len(pictures) == 4
    assert len(re.findall(r'<img [^>]*alt="scene, [^"]+"', page)) == 4
    assert all((tmp_path / "demo" / name).is_file() for name in pictures)
    # errors of 200 and 300 of 65535 everywhere
    expected = [-20 * np.log10(e / 65535) for e in (200, 300)]
    found = [row["psnr"] for row in scores.rows().values()]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert Scores.read(tmp_path / "demo").rows() == scores.rows()
    _, rows = demo.table_of(scores)
    assert [row[0] for row in rows] == ["input", "brightener"]
    assert rows[1][3] == f"{expected[1] - expected[0]:+.2f}" == "-3.52"
    assert all(f"<td>{cell}</td>" in page for row in rows for cell in row)
    sharp = read_image(tmp_path / "demo" / "pictures" / "scene" / "sharp.png").pixels
    exact = made.sharp / 257
    np.testing.assert_allclose(sharp, exact, atol=0.51)


class Halver(Brightener):
    """A stand-in for a Restorer over scales: everything is 4 px out of focus."""

    def restore(self, blurred, return_defocus):
        return blurred, np.full(blurred.shape[:2], 4, np.float32)


def test_the_large_photograph_comes_first_with_its_maps(rng, tmp_path, monkeypatch):
    made = example(rng)
    monkeypatch.setattr(demo, "examples", lambda: iter([made]))
    large = made._replace(name="large", coc=np.abs(made.coc))
    monkeypatch.setattr(demo, "large_example", lambda: large)
    demo.run({"brightener": Brightener()}, tmp_path / "demo", Halver())
    page = (tmp_path / "demo" / "index.html").read_text()
    assert page.index("large: 24 x 16 px") < page.index("<h2>scene")
    folder = tmp_path / "demo" / "pictures" / "large"
    shown = {path.stem for path in folder.iterdir()}
    assert shown == {"input", "restored", "estimated", "rendered"}
    assert all(f"pictures/large/{name}.png" in page for name in shown)
    estimated = read_image(folder / "estimated.png").pixels
    assert (estimated == demo.colour_map(np.full((1, 1), 4.0))).all()
    rendered = read_image(folder / "rendered.png").pixels
    assert (rendered[:, 0] == demo.colour_map(np.full((1, 1), 16.0))).all()


def test_show_folder_previews_sixteen_bits_by_their_high_byte(rng, tmp_path):
    pixels = rng.integers(0, 65536, (8, 9, 3), dtype=np.uint16)
    for name in ("a.png", "b.png"):
        write_image(tmp_path / name, Image(pixels))
    pairs = [("photo.png", tmp_path / "a.png", tmp_path / "b.png")]
    page = demo.show_folder(pairs, tmp_path)
    assert "photo.png_input.png" in page.read_text()
    preview = read_image(tmp_path / "photo.png_restored.png").pixels
    np.testing.assert_array_equal(preview, pixels >> 8)
