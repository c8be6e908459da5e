"""Disparities, and the order of the views they speak for."""

import cv2
import numpy as np
import pytest

from tests.testing import data_folder
from tf_defocus.images.files import read_image
from tf_defocus.optics import dual_pixel, psf, sensor
from tf_defocus.restoration import view_order
from tf_defocus.restoration.view_order import ExchangedViewsWarning, check_view_order


def shifted_views(rng, disparity, size=(160, 240), dtype="uint16"):
    """Views of a textured plane, x_left - x_right = `disparity`."""
    canvas = rng.random((size[0], size[1] + 40)).astype("float32")
    canvas = cv2.GaussianBlur(canvas, (0, 0), 1.5)
    canvas = (canvas - canvas.min()) / np.ptp(canvas)
    views = []
    for shift in (disparity / 2, -disparity / 2):
        matrix = np.float32([[1, 0, shift - 20], [0, 1, 0]])
        view = cv2.warpAffine(canvas, matrix, size[::-1], flags=cv2.INTER_CUBIC)
        view = np.clip(view, 0, 1)[..., None].repeat(3, axis=-1)
        full = 1 if dtype == "float32" else np.iinfo(dtype).max
        views.append((view * full).astype(dtype))
    return views


@pytest.mark.parametrize("disparity", [-4.0, -0.7, 0.0, 1.3, 5.0])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_disparities_are_left_minus_right(rng, disparity, dtype):
    left, right = shifted_views(rng, disparity, dtype=dtype)
    found = view_order.window_disparities(left, right)
    assert len(found) > 30
    np.testing.assert_allclose(found, disparity, atol=0.15)


def test_a_brighter_view_changes_no_disparity(rng):
    left, right = shifted_views(rng, 2.0, dtype="float32")
    found = view_order.window_disparities(0.9 * left + np.float32(0.05), right)
    np.testing.assert_allclose(found, 2.0, atol=0.2)


def rendered_views(rng, coc):
    """Views of a textured wall whose circle of confusion is `coc` [px] all over."""
    texture = rng.random((200, 200, 3)).astype("float32")
    surface = dual_pixel.Surface(
        cv2.GaussianBlur(texture, (0, 0), 2) * 2 - 0.5,
        np.ones((200, 200), "float32"),
        np.full((200, 200), coc, "float32"),
    )
    image = dual_pixel.render([surface], psf.ApertureSplit())
    views = (image.left, image.right)
    return [sensor.quantize16(sensor.linear_to_srgb(np.clip(v, 0, 1))) for v in views]


def test_blur_behind_focus_is_in_order_and_exchanged_it_warns(rng):
    """The project's convention: negative disparity behind focus."""
    left, right = rendered_views(rng, coc=8.0)
    order = check_view_order(left, right)
    assert order.verdict == "as expected"
    assert order.behind > 0.95 and order.in_front == 0 and order.median < -1
    with pytest.warns(ExchangedViewsWarning, match="100 % .* in front of focus"):
        exchanged = check_view_order(right, left)
    assert exchanged.verdict == "exchanged"
    assert exchanged.median == pytest.approx(-order.median, abs=0.05)


def test_what_cannot_be_told_is_unknown(rng):
    left, _ = rendered_views(rng, coc=0.0)
    assert check_view_order(left, left).verdict == "unknown"  # in focus
    flat = np.full((200, 200, 3), 99, "uint8")
    order = check_view_order(flat, flat)
    assert (order.windows, order.verdict) == (0, "unknown")
    assert "cannot be told" in order.describe()
    small = flat[:20, :20]
    assert check_view_order(small, small).windows == 0


def test_large_photographs_are_judged_reduced(rng):
    left, right = shifted_views(rng, -2.0)
    large = [cv2.resize(v, None, fx=7, fy=7) for v in (left, right)]  # 1680 px wide
    order = check_view_order(*large)
    assert order.verdict == "as expected"
    assert order.median == pytest.approx(-14, abs=1)


def test_views_that_differ_are_refused(rng):
    left, right = shifted_views(rng, 1.0)
    with pytest.raises(ValueError, match="Views must be alike"):
        check_view_order(left, right[1:])
    with pytest.raises(ValueError, match="Views must be alike"):
        check_view_order(left, right.astype("float32"))


def test_real_views_are_in_the_expected_order():
    for scene in sorted(data_folder("dpdd_samples").glob("scene_*")):
        left, right = (
            read_image(scene / f"{side}.png").pixels for side in ("left", "right")
        )
        assert check_view_order(left, right).verdict == "as expected", scene
