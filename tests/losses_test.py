"""Tests of `tf_defocus.losses`."""

import h5py
import keras
import numpy as np
import pytest

from tests import testing
from tf_defocus import losses


def naive_convolution(image, kernel, bias):
    """3x3 with zeros outside and ReLU: (height, width, in) -> (height, width, out)."""
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)))
    height, width = image.shape[:2]
    result = np.zeros((height, width, kernel.shape[-1]))
    for y in range(height):
        for x in range(width):
            patch = padded[y : y + 3, x : x + 3]
            result[y, x] = np.tensordot(patch, kernel, 3) + bias
    return np.maximum(result, 0)


def naive_pool(image):
    height, width, channels = image.shape
    blocks = image[: height // 2 * 2, : width // 2 * 2]
    return blocks.reshape(height // 2, 2, width // 2, 2, channels).max((1, 3))


def naive_vgg(image, weights):
    """The whole network on one RGB image, from its definition."""
    features = np.clip(image, 0, 1).astype("float64")[..., ::-1] * 255
    features = features - np.array([103.939, 116.779, 123.68])
    for name in weights:
        if name in ("conv2_1", "conv3_1", "conv4_1"):
            features = naive_pool(features)
        features = naive_convolution(features, *weights[name])
    return features


def test_perceptual_loss_matches_a_naive_vgg19(vgg_weights, vgg_file, rng):
    sharp, deblurred = rng.uniform(-0.2, 1.2, (2, 1, 16, 24, 3)).astype("float32")
    difference = naive_vgg(sharp[0], vgg_weights) - naive_vgg(deblurred[0], vgg_weights)
    actual = losses.PerceptualLoss(vgg_file)(sharp, deblurred)
    np.testing.assert_allclose(float(actual), np.mean(difference**2), rtol=1e-4)


def test_perceptual_loss_grows_with_the_difference_and_trains_no_weight(vgg_file, rng):
    loss = losses.PerceptualLoss(vgg_file)
    assert loss.features.trainable_variables == []
    sharp = rng.uniform(0.2, 0.8, (1, 16, 16, 3)).astype("float32")
    direction = rng.normal(size=sharp.shape).astype("float32")
    step = 1e-2 * direction / np.abs(direction).max()
    values = [float(loss(sharp, sharp + t * step)) for t in (0, 0.5, 1)]
    assert 0 == values[0] < values[1] < values[2]


def test_perceptual_loss_averages_over_the_batch(vgg_file, rng):
    loss = losses.PerceptualLoss(vgg_file)
    sharp, deblurred = rng.uniform(0, 1, (2, 2, 16, 16, 3)).astype("float32")
    each = [float(loss(sharp[i : i + 1], deblurred[i : i + 1])) for i in range(2)]
    np.testing.assert_allclose(float(loss(sharp, deblurred)), np.mean(each), rtol=1e-5)


def test_keras_applications_file_gives_the_same_weights(vgg_weights, tmp_path):
    path = tmp_path / "vgg19_notop.h5"
    with h5py.File(path, "w") as file:
        for name, (kernel, bias) in vgg_weights.items():
            layer = name.replace("conv", "block").replace("_", "_conv")
            file[f"{layer}/{layer}_W_1:0"] = kernel
            file[f"{layer}/{layer}_b_1:0"] = bias
        file.create_group("block1_pool")
    found = losses.read_vgg19_weights(str(path))
    assert list(found) == list(vgg_weights)
    for name, arrays in vgg_weights.items():
        for actual, expected in zip(found[name], arrays):
            np.testing.assert_array_equal(actual, expected)


def test_absent_vgg_weights_say_which_file_to_put_where(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.h5.*put the Keras Applic"):
        losses.PerceptualLoss(tmp_path / "none.h5")


def test_incomplete_vgg_weights_name_the_missing_layer(tmp_path):
    np.savez(
        tmp_path / "vgg.npz",
        **{"conv1_1/kernel": np.zeros((3, 3, 3, 64)), "conv1_1/bias": np.zeros(64)},
    )
    with pytest.raises(ValueError, match=r"conv1_2.*no such layer"):
        losses.PerceptualLoss(tmp_path / "vgg.npz")


def test_charbonnier_loss_matches_its_formula(rng):
    sharp, deblurred = rng.uniform(0, 1, (2, 2, 4, 5, 3)).astype("float32")
    expected = np.mean(np.sqrt((sharp - deblurred) ** 2 + 0.04))
    actual = losses.CharbonnierLoss(epsilon=0.2)(sharp, deblurred)
    np.testing.assert_allclose(float(actual), expected, rtol=1e-6)


def test_psnr_loss_is_the_mean_over_images_of_minus_their_psnr(rng):
    sharp = rng.uniform(0, 1, (3, 4, 5, 3)).astype("float32")
    noise = rng.normal(0, 1, sharp.shape) * [[[[1e-3]]], [[[0.03]]], [[[0.2]]]]
    errors = np.mean(noise.astype("float32") ** 2, axis=(1, 2, 3))
    loss = losses.PSNRLoss(epsilon=1e-6)
    actual = float(loss(sharp, sharp + noise.astype("float32")))
    assert actual == pytest.approx(np.mean(10 * np.log10(errors + 1e-6)), abs=1e-3)
    # An exact image: the floor, not infinity.
    assert float(loss(sharp, sharp)) == pytest.approx(-60, abs=1e-4)


def test_psnr_loss_weighs_a_decibel_of_every_image_alike():
    sharp = keras.ops.zeros((1, 8, 8, 3))
    loss = losses.PSNRLoss(epsilon=0.0)
    for error in (0.3, 0.003):
        better = error * 10 ** (-1 / 20)
        gain = loss(sharp, sharp + error) - loss(sharp, sharp + better)
        assert float(gain) == pytest.approx(1.0, abs=1e-4)


def test_ssim_loss_is_one_minus_the_recorded_similarity():
    vectors = testing.reference_file("metrics.npz")
    sharp, deblurred = (
        vectors[f"image/{name}_u8"][None].astype("float32") / 255
        for name in ("gt", "pred")
    )
    actual = losses.SSIMLoss()(sharp, deblurred)
    expected = 1 - vectors["gkmnet_val_u8/ssim"][0]
    np.testing.assert_allclose(float(actual), expected, atol=1e-5, rtol=2e-6)


def test_ssim_loss_of_equal_images_is_zero(rng):
    image = rng.uniform(0, 1, (2, 12, 15, 3)).astype("float32")
    np.testing.assert_allclose(
        float(losses.SSIMLoss()(image, image)), 0, atol=1e-6, rtol=2e-6
    )


def test_losses_survive_their_configs(vgg_file, rng):
    sharp, deblurred = rng.uniform(0, 1, (2, 1, 16, 16, 3)).astype("float32")
    for loss in (
        losses.CharbonnierLoss(epsilon=0.1),
        losses.PSNRLoss(epsilon=1e-3),
        losses.SSIMLoss(),
        losses.PerceptualLoss(vgg_file),
    ):
        clone = keras.saving.deserialize_keras_object(
            keras.saving.serialize_keras_object(loss)
        )
        assert type(clone) is type(loss)
        assert clone.get_config() == loss.get_config()
        assert float(clone(sharp, deblurred)) == float(loss(sharp, deblurred))


@pytest.mark.parametrize("size", [(8, 6), (7, 9)])
def test_fourier_losses_are_those_of_numpys_transform(rng, size):
    sharp, deblurred = rng.random((2, 2, *size, 3), dtype=np.float32)
    spectrum = np.fft.fft2(deblurred - sharp, axes=(1, 2))
    parts = np.abs(spectrum.real).mean() + np.abs(spectrum.imag).mean()
    assert float(losses.FourierPartsLoss()(sharp, deblurred)) == pytest.approx(
        parts, rel=1e-5
    )
    modulus = float(losses.FourierLoss()(sharp, deblurred))
    assert modulus == pytest.approx(np.abs(spectrum).mean(), rel=1e-5)
