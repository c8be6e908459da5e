"""Where a preset fails: what the camera sees, and the drawing of it."""

import numpy as np
import skimage.data

from tests.testing import load_tool, run_tool
from tf_defocus.images.files import read_image
from tf_defocus.reports.picture_sheet import BAR, GAP

plot_failures = load_tool("plot_failures")


def test_each_kind_is_seen_as_it_says(rng):
    sharp = rng.random((64, 64, 3)).astype("float32")
    cases = plot_failures.cases(sharp)
    assert list(cases) == [
        "in focus",
        "blur of 30 px",
        "shake of 15 px",
        "blur of 6 px, noise",
    ]
    for view in cases["in focus"].values():
        np.testing.assert_allclose(view, sharp, atol=1e-6)
    wide = cases["blur of 30 px"]
    assert np.std(wide["blurred"]) < 0.03 < np.std(sharp) / 5
    assert np.abs(wide["left"] - wide["right"]).max() > 0.01
    shaken = cases["shake of 15 px"]
    np.testing.assert_array_equal(shaken["left"], shaken["right"])


def test_a_flat_scene_stays_flat_but_for_the_noise():
    sharp = np.full((64, 64, 3), 0.5, "float32")
    *quiet, noisy = plot_failures.cases(sharp).values()
    for views in quiet:
        for view in views.values():
            np.testing.assert_allclose(view, 0.5, atol=1e-6)
    for name, view in noisy.items():
        expected = plot_failures.SIGMA * (1 if name == "blurred" else np.sqrt(2))
        assert abs(np.std(view) - expected) < 0.003


def test_a_picture_has_three_columns_and_four_rows(tmp_path):
    output = tmp_path / "new" / "failures.png"
    assert not run_tool(
        *("plot_failures", "--preset", "kpac_3level_free"),
        *("--output", output, "--size", 40),
    )
    height, width = 40 + BAR + 2 * GAP, 40 + 2 * GAP
    drawn = read_image(output).pixels
    assert drawn.shape == (4 * height, 3 * width, 3)
    truth = drawn[BAR + GAP :][:40, 2 * width + GAP :][:, :40]
    np.testing.assert_array_equal(truth, skimage.data.chelsea()[60:100, 130:170])
