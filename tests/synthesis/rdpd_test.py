"""RDPD's image formation against naive loops and the numbers of its own generator."""

import cv2
import numpy as np
import pytest

from tf_defocus.optics import dual_pixel
from tf_defocus.synthesis import rdpd

every_shape = pytest.mark.parametrize("shape", rdpd.KERNEL_SHAPES)


def reflected(index, size):
    """Position in a row of `size` that mirrors at its first and last pixel."""
    period = 2 * (size - 1)
    index = abs(index) % period
    return min(index, period - index)


def naive_smoothing(values, taps, sigma):
    """A Gaussian of so many taps in both directions, pixel by pixel."""
    reach = taps // 2
    weights = [np.exp(-(t**2) / (2 * sigma**2)) for t in range(-reach, reach + 1)]
    weights = np.array(weights) / sum(weights)
    size = len(values)
    smooth = np.zeros_like(values)
    for row, column in np.ndindex(size, size):
        for i, j in np.ndindex(taps, taps):
            source = values[
                reflected(row + i - reach, size), reflected(column + j - reach, size)
            ]
            smooth[row, column] += weights[i] * weights[j] * source
    return smooth


def naive_ramp_kernel(radius, shape):
    """The published kernel of the view that its ramp makes heavy on the right."""
    side = 2 * radius + 1
    cutoff = (side - 1) / shape.cutoff_factor
    high_pass = np.zeros((side, side))
    for row, column in np.ndindex(side, side):
        squared = (row - radius) ** 2 + (column - radius) ** 2
        energy = (squared / cutoff**2) ** shape.order
        high_pass[row, column] = energy / (1 + energy)
    low, high = high_pass.min(), high_pass.max()
    profile = (1 - shape.floor) * (high_pass - low) / (high - low) + shape.floor
    circle = np.zeros((side, side))
    cv2.circle(circle, (radius, radius), radius, 1.0, -1)
    taps = round(side / 7) + 1
    taps += taps % 2 == 0
    sigma = 0.3 * ((taps - 1) * 0.5 - 1) + 0.8
    smooth = naive_smoothing(np.pad(circle * profile, taps // 2), taps, sigma)
    heavy = smooth * np.linspace(0, 1, len(smooth))[None]
    return heavy / heavy.sum()


@pytest.mark.parametrize("radius", [1, 2, 5, 10])
@every_shape
def test_kernels_are_the_published_ones(radius, shape):
    expected = naive_ramp_kernel(radius, shape)
    left, right = rdpd.kernel_pair(-radius, shape)  # in front: left heavy on the right
    np.testing.assert_allclose(left, expected, atol=1e-7)
    np.testing.assert_allclose(right, expected[:, ::-1], atol=1e-7)
    behind = rdpd.kernel_pair(radius, shape)
    np.testing.assert_array_equal(behind, (right, left))
    assert left.sum() == pytest.approx(1) and left.min() >= 0


def test_in_focus_the_kernel_has_three_pixels():
    shape = rdpd.KERNEL_SHAPES[0]
    np.testing.assert_array_equal(
        rdpd.kernel_pair(0, shape), rdpd.kernel_pair(1, shape)
    )
    assert rdpd.kernel_pair(0, shape)[0].shape == (3, 3)


def test_six_sequences_use_the_first_six_shapes_of_the_grid():
    received = [(s.order, s.cutoff_factor, s.floor) for s in rdpd.KERNEL_SHAPES]
    third_order = [(3, cutoff, floor) for cutoff in (2.5, 2) for floor in (0.1, 0.2)]
    assert received == [*third_order, (6, 2.5, 0.1), (6, 2.5, 0.2)]


def test_cameras_have_the_published_scales_and_numbers_of_kernels():
    scales = [camera.scale for camera in rdpd.CAMERAS]
    np.testing.assert_allclose(scales, [2.67, 3.13, 9.80, 3.85, 6.05], atol=0.005)
    depth = (np.arange(2000) + 0.5) * 0.125
    counts = [
        len(np.unique(rdpd.signed_radius(depth, camera))) for camera in rdpd.CAMERAS
    ]
    assert min(counts) == 19 and max(counts) == 45


@pytest.mark.parametrize("camera", rdpd.CAMERAS)
def test_radii_are_zero_in_focus_negative_in_front_and_bounded(camera):
    focus = camera.focus_distance
    depth = np.array([0.01, 0.8 * focus, focus, 3 * focus, 250, 1e6])
    radius = rdpd.signed_radius(depth, camera)
    assert radius.dtype == np.int32
    assert radius[0] == -rdpd.MAX_RADIUS and radius[2] == 0
    assert np.all(np.diff(radius) >= 0) and radius[-1] == radius[-2]
    assert radius[-1] == round(camera.scale * (1 - focus / 249.9375))
    coc = np.linspace(-2, 2 * (1 - focus / 250), 9) * camera.scale
    depth = rdpd.depth_of(coc, camera)
    np.testing.assert_allclose(2 * camera.scale * (1 - focus / depth), coc, atol=1e-9)
    assert rdpd.depth_of(2 * camera.scale, camera) == 250


@every_shape
def test_disparity_is_the_kernels_and_not_quite_proportional(shape):
    radius = np.array([[-40, -5, -1], [1, 2, 20]])
    disparity = rdpd.disparity(radius, shape)
    ratio = -disparity / (2.0 * radius)
    assert disparity.dtype == np.float32
    large, tiny = ratio[np.abs(radius) >= 5], ratio[np.abs(radius) <= 2]
    assert large.min() > 0.25 and large.max() < 0.34
    assert tiny.min() > large.max() and tiny.max() < 0.5
    offsets = np.arange(3) - 1
    left, right = rdpd.kernel_pair(1, shape)
    np.testing.assert_allclose(disparity[1, 0], np.sum((left - right) * offsets))


@every_shape
def test_the_aperture_of_a_kernel_casts_that_kernel(shape):
    impulse = np.zeros((17, 17, 3))
    impulse[8, 8] = 1.0
    surface = dual_pixel.Surface(impulse, np.ones((17, 17)), np.full((17, 17), 10.0))
    views = dual_pixel.average_pinholes([surface], *rdpd.kernel_aperture(5, shape))
    for view, kernel in zip(views, rdpd.kernel_pair(5, shape)):
        np.testing.assert_allclose(view[2:15, 2:15, 0], kernel, atol=1e-12)


def naive_render(sharp, radius, shape):
    """Every pixel gathers its neighbours with its own kernel, one by one."""
    height, width = radius.shape
    views = np.zeros((2, *sharp.shape))
    for row, column in np.ndindex(height, width):
        for view, kernel in enumerate(rdpd.kernel_pair(radius[row, column], shape)):
            reach = len(kernel) // 2
            for i, j in np.ndindex(kernel.shape):
                y = reflected(row - (i - reach), height)
                x = reflected(column - (j - reach), width)
                views[view, row, column] += kernel[i, j] * sharp[y, x]
    return views


def scene():
    rng = np.random.default_rng(0)
    sharp = rng.integers(0, 256, (14, 17, 3)).astype(np.uint8)
    radius = np.where(np.arange(17) < 8, -3, 2) * np.ones((14, 1), int)
    radius[:4] = 0
    return sharp, radius


@every_shape
def test_pixels_gather_with_the_kernel_of_their_own_depth(shape):
    sharp, radius = scene()
    expected = naive_render(sharp / 255.0, radius, shape)
    received = rdpd.render(sharp / 255.0, radius, shape)
    np.testing.assert_allclose(received[:2], expected, atol=1e-6)
    np.testing.assert_allclose(received[2], expected.mean(axis=0), atol=1e-6)
    coded = rdpd.render(sharp, radius, shape)
    assert all(view.dtype == np.uint8 for view in coded)
    assert np.abs(coded[0] - 255 * expected[0]).max() <= 0.51


def test_light_crosses_the_edge_of_a_sharp_object():
    """What makes it less faithful: a blurred background gathers the object's light."""
    sharp = np.zeros((32, 32, 3))
    sharp[:, :16] = 1.0  # an object in focus, before a black background
    radius = np.where(np.arange(32) < 16, 0, 5) * np.ones((32, 1), int)
    shape = rdpd.KERNEL_SHAPES[0]
    _, _, gathered = rdpd.render(sharp, radius, shape)
    black, full = np.zeros_like(sharp), np.ones((32, 32))
    surfaces = [
        dual_pixel.Surface(black, full, 10.0 * full),
        dual_pixel.Surface(sharp, sharp[..., 0], 0.0 * full),
    ]
    aperture = rdpd.kernel_aperture(5, shape)
    exact, _ = dual_pixel.average_pinholes(surfaces, *aperture)
    assert exact[16, 18, 0] < 1e-6
    assert gathered[16, 18, 0] > 0.2


def test_examples_are_eight_bit_and_reproducible():
    example, again = (rdpd.make_example(3, "train", 1, size=32) for _ in range(2))
    for name in ("left", "right", "blurred", "sharp"):
        assert example[name].shape == (32, 32, 3) and example[name].dtype == np.uint16
        assert np.all(example[name] % 257 == 0)
        np.testing.assert_array_equal(example[name], again[name])
    mean = (example["left"].astype(int) + example["right"]) / 2
    assert np.abs(mean - example["blurred"]).max() <= 2 * 257
    assert np.all(example["coc"] % 2 == 0)
    np.testing.assert_array_equal(example["mask"] > 0, np.abs(example["coc"]) > 1)
    behind = example["coc"] >= 0
    assert np.all(example["disparity"][behind] < 0)
    assert np.all(example["disparity"][~behind] > 0)
    scales = [np.float32(2 * camera.scale) for camera in rdpd.CAMERAS]
    assert np.float32(example["camera"]["max_coc"]) in scales
