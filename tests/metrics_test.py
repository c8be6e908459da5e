"""Tests of `tf_defocus.metrics`."""

import time

import keras
import numpy as np
import pytest
from skimage import metrics as scikit_image

from tests import testing
from tf_defocus import metrics


@pytest.fixture
def images(rng):
    sharp = rng.uniform(0, 1, (23, 31, 3))
    return sharp + rng.normal(0, 0.1, sharp.shape), sharp


@pytest.mark.parametrize("depth, largest", [("u8", 255), ("u16", 65535)])
@pytest.mark.parametrize(
    "group, functions",
    [
        ("dpdnet_{}_f64", ("mse", "psnr", "ssim", "mae")),
        ("ifan_{}_f64", ("psnr", "ssim", "mae")),
        ("ifan_{}_f32", ("psnr", "ssim", "mae")),
        ("k3dn_{}_f64", ("psnr", "ssim", "mae")),
        ("k3dn_{}_f32", ("psnr", "ssim", "mae")),
        ("ifan_train_{}_f32", ("psnr",)),
    ],
)
def test_metrics_equal_the_recorded_ones(depth, largest, group, functions):
    vectors = testing.reference_file("metrics.npz")
    pair = [vectors[f"image/{name}_{depth}"] / largest for name in ("pred", "gt")]
    by_name = {
        "mse": metrics.mean_squared_error,
        "psnr": metrics.psnr,
        "ssim": metrics.ssim_uniform,
        "mae": metrics.mean_absolute_error,
    }
    for name in functions:
        expected = float(vectors[f"{group.format(depth)}/{name}"][0])
        np.testing.assert_allclose(by_name[name](*pair), expected, rtol=0, atol=1e-6)


def test_metrics_of_unclipped_images_equal_the_recorded_ones():
    vectors = testing.reference_file("metrics.npz")
    pair = vectors["image/pred_float_unclipped"], vectors["image/gt_u8"] / 255
    for function, key in (
        (metrics.psnr, "ifan_psnr"),
        (metrics.ssim_uniform, "ifan_ssim"),
        (metrics.mean_absolute_error, "ifan_mae"),
    ):
        expected = float(vectors[f"unclipped/{key}"][0])
        np.testing.assert_allclose(function(*pair), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("depth, largest", [("u8", 255), ("u16", 65535)])
def test_gaussian_ssim_equals_the_recorded_one(depth, largest):
    vectors = testing.reference_file("metrics.npz")
    pair = [vectors[f"image/{name}_{depth}"] / largest for name in ("pred", "gt")]
    expected = float(vectors[f"gkmnet_val_{depth}/ssim"][0])
    np.testing.assert_allclose(
        metrics.ssim_gaussian(*pair), expected, atol=1e-5, rtol=2e-6
    )


@pytest.mark.parametrize("data_range", [1.0, 255.0])
def test_ssim_uniform_equals_scikit_image(images, data_range):
    image, other = (data_range * array for array in images)
    expected = scikit_image.structural_similarity(
        image, other, channel_axis=-1, data_range=data_range
    )
    actual = metrics.ssim_uniform(image, other, data_range)
    np.testing.assert_allclose(actual, expected, rtol=1e-12)


def test_ssim_gaussian_equals_scikit_image_inside_the_image(images):
    _, ssim_map = scikit_image.structural_similarity(
        *images,
        channel_axis=-1,
        data_range=1.0,
        gaussian_weights=True,
        use_sample_covariance=False,
        full=True,
    )
    expected = ssim_map[5:-5, 5:-5].mean()
    np.testing.assert_allclose(metrics.ssim_gaussian(*images), expected, rtol=1e-12)


def test_smallest_image_holds_one_window(rng):
    x, y = rng.uniform(0, 1, (2, 7, 7, 1))
    covariance = np.cov(x.ravel(), y.ravel())
    expected = (2 * x.mean() * y.mean() + 1e-4) / (x.mean() ** 2 + y.mean() ** 2 + 1e-4)
    expected *= (2 * covariance[0, 1] + 9e-4) / (np.trace(covariance) + 9e-4)
    np.testing.assert_allclose(metrics.ssim_uniform(x, y), expected, rtol=1e-10)


def test_psnr_of_a_constant_error_is_known():
    image = np.full((4, 5, 3), 25.5)
    np.testing.assert_allclose(metrics.psnr(image, 0 * image, 255.0), 20.0)


def test_psnr_of_equal_images_is_infinite():
    assert metrics.psnr(np.ones((3, 3, 3)), np.ones((3, 3, 3))) == float("inf")


def test_errors_of_integers_do_not_wrap_around():
    dark, bright = np.zeros((2, 2, 3), "uint8"), np.full((2, 2, 3), 200, "uint8")
    assert metrics.mean_absolute_error(dark, bright) == 200.0
    assert metrics.mean_squared_error(dark, bright) == 40_000.0


@pytest.mark.parametrize("decibels, printed", [(23.89, 6.39), (27.06, 4.44)])
def test_rmse_rel_is_what_k3dn_prints_in_table_1(decibels, printed):
    assert round(100 * metrics.rmse_rel(decibels), 2) == printed


def test_logged_metrics_equal_the_means_of_the_scores(rng):
    sharp = rng.uniform(0, 1, (3, 16, 18, 3)).astype("float32")
    deblurred = sharp + rng.normal(0, 0.1, sharp.shape).astype("float32")
    clipped = np.clip(deblurred, 0, 1)
    for metric, function in (
        (metrics.PSNR(), metrics.psnr),
        (metrics.SSIM(), metrics.ssim_uniform),
        (metrics.SSIM(window="gaussian"), metrics.ssim_gaussian),
    ):
        metric.update_state(sharp[:2], deblurred[:2])
        metric.update_state(sharp[2:], deblurred[2:])
        expected = np.mean([function(a, b) for a, b in zip(clipped, sharp)])
        np.testing.assert_allclose(float(metric.result()), expected, rtol=1e-5)


def test_logged_psnr_of_a_perfect_image_is_its_limit():
    metric = metrics.PSNR()
    metric.update_state(np.full((1, 4, 4, 3), 0.5), np.full((1, 4, 4, 3), 0.5))
    np.testing.assert_allclose(float(metric.result()), metrics.LOGGED_PSNR_LIMIT)


@pytest.mark.parametrize("metric", [metrics.PSNR("a"), metrics.SSIM("gaussian", "b")])
def test_metrics_survive_their_configs(metric):
    clone = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(metric)
    )
    assert type(clone) is type(metric)
    assert clone.get_config() == metric.get_config()


def processor_time(function):
    """Least of three runs [s], over all threads: other programs do not count."""
    times = []
    for _ in range(3):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def test_ssim_uniform_is_no_slower_than_scikit_image(rng):
    image, other = rng.uniform(0, 1, (2, 560, 840, 3))
    ours = processor_time(lambda: metrics.ssim_uniform(image, other))
    theirs = processor_time(
        lambda: scikit_image.structural_similarity(
            image, other, channel_axis=-1, data_range=1.0
        )
    )
    assert ours <= theirs


def test_sharpness_of_a_ramp_is_its_slope():
    """Slope 0.02 down and 0.01 across: no curvature, one gradient everywhere."""
    y, x = np.mgrid[:9, :12]
    ramp = np.repeat((0.02 * y + 0.01 * x)[..., None], 3, axis=-1)
    assert metrics.variance_of_laplacian(ramp) == pytest.approx(0, abs=1e-25)
    assert metrics.tenengrad(ramp) == pytest.approx(0.02**2 + 0.01**2)


def test_variance_of_laplacian_of_one_bright_pixel():
    """-4 once and 1 four times among 25 pixels."""
    image = np.zeros((7, 7, 3))
    image[3, 3] = 1
    expected = (16 + 4) / 25  # their mean is zero
    assert metrics.variance_of_laplacian(image) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["variance_of_laplacian", "tenengrad"])
def test_blur_lowers_sharpness_and_colour_counts_as_luma(name, images):
    sharpness, (_, sharp) = getattr(metrics, name), images
    blurred = (sharp + np.roll(sharp, 1, 0) + np.roll(sharp, 1, 1)) / 3
    assert sharpness(blurred) < 0.6 * sharpness(sharp)
    luma = sharp @ [0.299, 0.587, 0.114]
    grey = np.repeat(luma[..., None], 3, axis=-1)
    assert sharpness(grey) == pytest.approx(sharpness(sharp))


@pytest.mark.parametrize(
    "image, message",
    [
        (np.zeros((8, 8)), "height, width, 3"),
        (np.zeros((2, 8, 3)), "at least 3 px"),
        (np.zeros((8, 8, 3), "uint8"), "dtype uint8"),
        (np.full((8, 8, 3), np.nan), "finite"),
    ],
)
def test_sharpness_refuses_what_is_no_picture(image, message):
    with pytest.raises(ValueError, match=message):
        metrics.tenengrad(image)


def naive_similarity(x, y, axes, mode):
    """SSIM map with an 11-tap Gaussian along the axes; NumPy float64."""
    taps = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))

    def mean(values):
        for axis in axes:
            width = [(5, 5) if a == axis else (0, 0) for a in range(values.ndim)]
            padded = np.pad(values, width, mode=mode)
            parts = [
                tap * np.take(padded, np.arange(i, i + values.shape[axis]), axis)
                for i, tap in enumerate(taps / taps.sum())
            ]
            values = sum(parts)
        return values

    c1, c2 = 0.01**2, 0.03**2
    product, squares = mean(x) * mean(y), mean(x) ** 2 + mean(y) ** 2
    covariance = mean(x * y) - product
    variances = mean(x * x + y * y) - squares
    return (
        (2 * product + c1) * (2 * covariance + c2) / ((squares + c1) * (variances + c2))
    )


def test_volume_similarity_runs_over_the_colours_too(rng):
    x, y = rng.random((2, 14, 17, 3))
    expected = naive_similarity(x, y, (0, 1, 2), "edge").mean()
    assert metrics.ssim_volume(x, y) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("step", [1, 2])
def test_reduced_similarity_averages_squares_first(rng, step):
    """As MATLAB: an even square reaches one pixel further right and down."""
    x, y = rng.random((2, 520 if step == 2 else 30, 530, 3))
    reduced = []
    for image in (x, y):
        luma = image @ [0.299, 0.587, 0.114]
        padded = np.pad(luma, ((0, step - 1),) * 2, mode="symmetric")
        rows, columns = luma.shape
        parts = [
            padded[i : rows + i, j : columns + j]
            for i in range(step)
            for j in range(step)
        ]
        reduced.append(np.mean(parts, axis=0)[::step, ::step])
    inside = (slice(5, -5),) * 2
    expected = naive_similarity(*reduced, (0, 1), "edge")[inside].mean()
    assert metrics.ssim_reduced(x, y) == pytest.approx(expected, rel=1e-10)


def test_luma_similarity_is_of_one_plane(rng):
    x, y = rng.random((2, 14, 17, 3))
    planes = [np.repeat((i @ [0.299, 0.587, 0.114])[..., None], 3, -1) for i in (x, y)]
    expected = metrics.ssim_gaussian(*planes)
    assert metrics.ssim_luma(x, y) == pytest.approx(expected, rel=1e-12)
