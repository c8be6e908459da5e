"""Tests of `tools/reproduce/gkm_fit.py`: its table and picture on two kernels."""

import functools

import numpy as np
import pytest

from tests import testing
from tf_defocus.images.files import read_image
from tf_defocus.optics import kernel_fit, psf


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Runs the command on a disc and a Butterworth disc only."""
    few = {
        "disc": kernel_fit.embed(psf.disc(2), 17),
        "ring": kernel_fit.embed(sum(psf.butterworth(4)) / 2, 17),
    }
    monkeypatch.setattr(kernel_fit, "sample_kernels", lambda: few)

    return functools.partial(testing.run_tool, "reproduce/gkm_fit")


def test_table_and_picture_are_written(run, tmp_path, capsys):
    assert not run("--output", tmp_path / "fit")
    text = (tmp_path / "fit" / "table.md").read_text()
    assert capsys.readouterr().out == text
    lines = text.partition("\n\n")[0].splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines]
    assert rows[0][1:3] == ["Gaussian [%]", "disc [%]"]
    errors = {row[0]: [float(v) for v in row[1:]] for row in rows[2:]}
    assert "beats the Gaussian and does not beat the disc" in " ".join(text.split())
    assert errors["disc"][1] < 0.5 < errors["disc"][0]
    assert errors["ring"][3] < errors["ring"][2] <= errors["ring"][0]
    np.testing.assert_allclose(
        errors["mean"], np.mean([errors["disc"], errors["ring"]], axis=0), atol=0.11
    )
    pixels = read_image(tmp_path / "fit" / "kernels.png").pixels
    assert pixels.shape == (2 * (17 * 5 + 20), 9 * 17 * 5 + 8 * 4, 3)
    # The kernel's own brightest pixel is white; no fit of the disc by a disc errs.
    assert pixels[20:105, :85].max() == 255
    error = pixels[20:105, 6 * 89 : 6 * 89 + 85]
    assert error.max() < 10
    assert sorted(p.name for p in (tmp_path / "fit").iterdir()) == [
        "kernels.png",
        "table.md",
    ]


def test_unwritable_output_is_one_line(run, tmp_path):
    (tmp_path / "file").write_text("")
    message = run("--output", tmp_path / "file" / "fit")
    assert message.startswith("gkm_fit: ") and "\n" not in message
