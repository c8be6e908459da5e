"""The thin lens against the lens equation and worked examples."""

import numpy as np
import pytest

from tf_defocus.optics.thin_lens import circle_of_confusion, circle_of_confusion_pixels

# A 50 mm lens at f/4 on full frame, in a picture 1680 pixels wide.
CAMERA = {"focal_length": 0.05, "f_number": 4.0, "focus_distance": 2.0}
PITCH = 0.036 / 1680


def test_invariant_17_the_circle_grows_with_depth_and_vanishes_in_focus():
    depth = np.geomspace(0.2, 200.0, 500)
    assert np.all(np.diff(circle_of_confusion(depth, **CAMERA)) > 0)
    assert circle_of_confusion(2.0, **CAMERA) == 0.0


def test_circle_matches_two_ray_constructions():
    # Rays from the rim of the aperture meet at the image distance of `depth` and cross
    # the sensor, which lies at the image distance of the focus, that far apart.
    depth, focal_length, aperture = 1.2, 0.05, 0.05 / 4.0
    sensor = 1.0 / (1.0 / focal_length - 1.0 / 2.0)
    image = 1.0 / (1.0 / focal_length - 1.0 / depth)
    expected = aperture * (sensor - image) / image
    np.testing.assert_allclose(circle_of_confusion(depth, **CAMERA), expected)


def test_worked_examples_in_pixels():
    depth = np.array([1.0, 1.6, 2.5, 4.0, np.inf])
    received = circle_of_confusion_pixels(depth, **CAMERA, pixel_pitch=PITCH)
    np.testing.assert_allclose(received, [-15, -3.7, 3.0, 7.5, 15], atol=0.08)


def test_circle_is_affine_in_inverse_depth():
    inverse_depth = np.linspace(0.0, 2.0, 9)[1:]
    second_difference = np.diff(circle_of_confusion(1 / inverse_depth, **CAMERA), n=2)
    np.testing.assert_allclose(second_difference, 0.0, atol=1e-17)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"depth": 0.0}, "depth > 0"),
        ({"depth": np.nan}, "depth > 0"),
        ({"focus_distance": 0.05}, "focus_distance > focal_length"),
        ({"f_number": 0.0}, "f_number > 0"),
    ],
)
def test_impossible_cameras_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        circle_of_confusion(**{"depth": 1.0, **CAMERA, **change})


def test_pixel_pitch_must_be_positive():
    with pytest.raises(ValueError, match="pixel_pitch > 0"):
        circle_of_confusion_pixels(1.0, **CAMERA, pixel_pitch=0.0)
