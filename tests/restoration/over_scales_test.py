"""Restoring over scales: the definitions, the strips, what stays as it is."""

import cv2
import keras
import numpy as np
import pytest
from keras import layers

from tf_defocus.images import levels
from tf_defocus.models.base import RestorationNetwork
from tf_defocus.restoration import (
    over_scales,
    scale_blending,
    scale_choice,
    scale_evidence,
)
from tf_defocus.restoration import restorer as restorer_module
from tf_defocus.restoration.restorer import Restorer
from tf_defocus.synthesis import textures


class Softening(RestorationNetwork):
    """One convolution of 5x5 with fixed random weights."""

    view_names = ("blurred",)
    size_multiple = (8, 8)
    receptive_field = 5

    def __init__(self):
        super().__init__()
        keras.utils.set_random_seed(3)
        self.convolution = layers.Conv2D(3, 5, padding="same", use_bias=False)

    def call(self, inputs):
        blurred = inputs["blurred"]
        return {"deblurred": blurred + 0.3 * self.convolution(blurred)}


class Mean(Softening):
    """The mean of two views, and nothing else."""

    view_names = ("left", "right")

    def call(self, inputs):
        return {"deblurred": (inputs["left"] + inputs["right"]) / 2}


class Failing(Softening):
    def call(self, inputs):
        raise AssertionError("the network was called")


@pytest.fixture(scope="module")
def network():
    model = Softening()
    model.build()
    return model


def picture(rng, height=72, width=88, dtype="float32"):
    return levels.to_levels(rng.random((height, width, 3)), dtype)


# Definitions, on whole arrays and by matrices.


def mean_of_blocks(image, factor):
    height, width = image.shape[0] // factor, image.shape[1] // factor
    blocks = image.reshape(height, factor, width, factor, *image.shape[2:])
    return blocks.mean(axis=(1, 3))


def along_both(down, across, image):
    return np.einsum("ij,jk...,lk->il...", down, image, across)


def cubic(distance, a=-0.75):
    d = abs(distance)
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return a * (d**3 - 5 * d**2 + 8 * d - 4) if d < 2 else 0.0


def linear(distance):
    return max(1 - abs(distance), 0.0)


def enlarged(image, factor, kernel):
    """Sample i of the enlarged image lies at (i + 1/2) / factor - 1/2; edges repeat."""
    matrices = []
    for size in image.shape[:2]:
        matrix = np.zeros((factor * size, size))
        for i in range(factor * size):
            place = (i + 0.5) / factor - 0.5
            for j in range(int(np.floor(place)) - 1, int(np.floor(place)) + 3):
                matrix[i, min(max(j, 0), size - 1)] += kernel(place - j)
        matrices.append(matrix)
    return along_both(*matrices, image)


def filtered(image, taps, mirror):
    """A separable filter; `mirror` is how NumPy calls what happens at the border."""
    reach = len(taps) // 2
    padded = np.pad(image, reach, mode=mirror)
    rows = sum(t * padded[i : i + image.shape[0]] for i, t in enumerate(taps))
    return sum(t * rows[:, i : i + image.shape[1]] for i, t in enumerate(taps))


def window_mean(values, sigma):
    reach = int(np.rint(8 * sigma + 1) // 2)  # what OpenCV takes for floats
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return filtered(values, taps / taps.sum(), "reflect")


def naive_octave(values):
    soft = filtered(values, np.array([1, 4, 6, 4, 1]) / 16, "symmetric")
    return (values - soft) ** 2


def naive_blend(changes, trust):
    """changes: D_s at its own size; trust: (height / 4, width / 4, scales)."""
    count = len(changes)

    def weight(octave, index):
        one = trust[..., index]
        if octave < 2:
            return enlarged(one, 4 >> octave, linear)[..., None]
        return mean_of_blocks(one, 1 << (octave - 2))[..., None]

    def seen(octave, index):
        return mean_of_blocks(changes[index], 1 << (octave - index))

    total = 0.0
    for octave in reversed(range(count)):
        for index in range(octave + 1):
            detail = seen(octave, index)
            if octave < count - 1:
                detail = detail - enlarged(seen(octave + 1, index), 2, cubic)
            total = total + weight(octave, index) * detail
        total = enlarged(total, 2, cubic) if octave else total
    return total


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("strip", [16, 512])
def test_blending_is_its_definition_in_strips_too(rng, monkeypatch, count, strip):
    for module in (scale_evidence, scale_blending):
        monkeypatch.setattr(module, "STRIP", strip)
    base = picture(rng)
    sizes = [(72 >> k, 88 >> k, 3) for k in range(count)]
    restored = [rng.random(size, dtype=np.float32) for size in sizes]
    reduced = [mean_of_blocks(base, 1 << k) for k in range(count)]
    trust = rng.random((18, 22, count), dtype=np.float32)
    coarser = [r - b for r, b in zip(restored[1:], reduced[1:])]
    _, halved = scale_evidence.gather(base, restored[0], coarser)
    changes = [halved, *coarser]
    coarse = scale_blending.blend_coarse(changes, trust)
    strips = scale_blending.blend_strips(base, restored[0], changes[0], coarse, trust)
    blended = np.concatenate([change for _, change in strips])
    expected = naive_blend([r - b for r, b in zip(restored, reduced)], trust)
    np.testing.assert_allclose(blended, expected, atol=2e-5)


@pytest.mark.parametrize("strip", [16, 512])
def test_evidence_is_its_definition_in_strips_too(rng, monkeypatch, strip):
    monkeypatch.setattr(scale_evidence, "STRIP", strip)
    monkeypatch.setattr(scale_evidence, "WINDOWS", (0.4, 0.7))
    base, restored = picture(rng, 192, 128), picture(rng, 192, 128)
    half = rng.random((96, 64, 3), dtype=np.float32)
    coarser = half - mean_of_blocks(base, 2)
    evidence, _ = scale_evidence.gather(base, restored, [coarser])
    features = evidence.features()
    strips = [evidence.features(*rows) for rows in ((0, 16), (16, 32), (32, None))]
    np.testing.assert_allclose(np.concatenate(strips), features, rtol=1e-5, atol=1e-5)
    pair = len(features[0, 0]) // 2

    grey = base.mean(axis=-1)
    finest = window_mean(mean_of_blocks(naive_octave(grey), 4), 0.7)
    np.testing.assert_allclose(
        features[..., pair], np.log(finest + 1e-7), rtol=1e-4, atol=1e-4
    )
    coarse = window_mean(naive_octave(mean_of_blocks(grey, 16)), 0.7)
    expected = enlarged(np.log(coarse + 1e-7), 4, linear)
    np.testing.assert_allclose(features[..., pair + 4], expected, rtol=1e-4, atol=1e-4)

    full = mean_of_blocks((restored - base).mean(axis=-1), 2)
    other = (half - mean_of_blocks(base, 2)).mean(axis=-1)
    products = (full * full, full * other, other * other)
    one, both, two = (window_mean(mean_of_blocks(p, 2), 0.7) for p in products)
    agreement = both / np.sqrt((one + 1e-7) * (two + 1e-7))
    np.testing.assert_allclose(features[..., pair + 12], agreement, atol=1e-4)
    missing = features[..., pair + 9]  # the change at a quarter
    np.testing.assert_allclose(missing, np.log(1e-7), rtol=1e-6)


@pytest.mark.parametrize("count, low, high", [(1, 2.5, 4), (2, 4, 8)])
def test_choice_is_a_small_network(rng, count, low, high):
    shapes = {name: array.shape for name, array in scale_choice.load_weights().items()}
    weights = {name: 0.3 * rng.standard_normal(shape) for name, shape in shapes.items()}
    weights["deviation"], weights["bias_2"][-1] = 1 + weights["mean"] ** 2, 3
    features = rng.standard_normal((99, 2, scale_evidence.NUM_FEATURES))
    trust, defocus = scale_choice.choose(features, count, weights)
    x = (features[:, 1] - weights["mean"]) / weights["deviation"]
    for index in (0, 1):
        x = np.maximum(x @ weights[f"kernel_{index}"] + weights[f"bias_{index}"], 0)
    outputs = x @ weights["kernel_2"] + weights["bias_2"]
    shares = np.exp(outputs[:, : 1 + count])
    shares /= shares.sum(axis=1, keepdims=True)
    expected = np.clip(2 ** outputs[:, -1], 1, 128)
    assert (expected < low).any() and (expected > high).any()
    shares[:, 1] += shares[:, 0] * np.clip((expected - low) / (high - low), 0, 1)
    np.testing.assert_allclose(trust[:, 1], shares[:, 1:], rtol=1e-4)
    np.testing.assert_allclose(defocus[:, 1], expected, rtol=1e-4)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_no_strength_needs_no_network(rng, dtype):
    image = picture(rng, 31, 47, dtype)
    restorer = Restorer(Failing(), scales="auto", protect_sharp=True)
    restored = restorer.restore(blurred=image, strength=0)
    np.testing.assert_array_equal(restored, image)


def test_two_views_blend_around_their_mean(rng):
    left, right = (picture(rng, 40, 40, "uint16") for _ in range(2))
    restorer = Restorer(Mean(), scales=(1, 2))
    restored = restorer.restore(left=left, right=right)
    assert restored.dtype == np.uint16
    mean = (left.astype(float) + right) / 2
    np.testing.assert_allclose(restored, mean, atol=1.0)
    unchanged = restorer.restore(left=left, right=right, strength=0)
    np.testing.assert_allclose(unchanged, mean, atol=0.6)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_the_mask_keeps_the_rest_bit_for_bit(rng, network, dtype):
    image = picture(rng, 70, 90, dtype)
    mask = np.zeros((70, 90), np.float32)
    mask[:, 40:] = 1
    restorer = Restorer(network, scales=(1,), protect_sharp=False)
    restored = restorer.restore(blurred=image, mask=mask)
    np.testing.assert_array_equal(restored[:, :40], image[:, :40])
    plain = restorer.restore(blurred=image)
    step = 1e-6 if dtype == "float32" else 1
    np.testing.assert_allclose(
        restored[:, 40:].astype(float), plain[:, 40:].astype(float), atol=step
    )


def test_half_the_strength_is_half_the_change(rng, network):
    image = picture(rng)
    restorer = Restorer(network, scales=(1, 2, 4, 8))
    half, all_of_it = (restorer.restore(blurred=image, strength=s) for s in (0.5, 1))
    inside = (all_of_it > 0) & (all_of_it < 1)
    expected = (image + all_of_it) / 2
    np.testing.assert_allclose(half[inside], expected[inside], atol=1e-6)


def test_what_is_in_focus_is_protected(rng, network, monkeypatch):
    def choose(features, num_scales, weights):
        defocus = np.full(features.shape[:2], 9.0, np.float32)
        defocus[:, :10] = 1.0
        return np.ones((*features.shape[:2], num_scales), np.float32), defocus

    monkeypatch.setattr(scale_choice, "choose", choose)
    image = picture(rng, 64, 96, "uint8")
    restored = Restorer(network, protect_sharp=True).restore(blurred=image)
    np.testing.assert_array_equal(restored[:, :36], image[:, :36])
    assert (restored[:, 48:] != image[:, 48:]).mean() > 0.5


def test_what_harms_is_blended_less_at_one_size_too(rng, network, monkeypatch):
    def choose(features, num_scales, weights):
        defocus = np.full(features.shape[:2], 9.0, np.float32)
        return np.full((*features.shape[:2], num_scales), 0.25, np.float32), defocus

    monkeypatch.setattr(scale_choice, "choose", choose)
    image = picture(rng, 64, 96)
    whole = Restorer(network).restore(blurred=image)
    less = Restorer(network, protect_sharp=True).restore(blurred=image)
    inside = (whole > 0) & (whole < 1)
    expected = image + 0.25 * (whole - image)
    np.testing.assert_allclose(less[inside], expected[inside], atol=1e-6)
    plain, _ = Restorer(network).restore(blurred=image, return_defocus=True)
    np.testing.assert_allclose(plain, whole, atol=1e-6)


@pytest.mark.parametrize("options", [{"scales": (1, 2, 4, 8)}, {"protect_sharp": True}])
def test_tiles_change_nothing(rng, network, options):
    image = picture(rng, 203, 157)
    whole, tiled = (
        Restorer(network, tile=tile, **options).restore(
            blurred=image, return_defocus=True
        )
        for tile in (0, 48)
    )
    np.testing.assert_allclose(tiled[0], whole[0], atol=1e-5)
    np.testing.assert_allclose(tiled[1], whole[1], rtol=1e-3)
    assert whole[0].shape == (203, 157, 3)
    assert whole[1].shape == (203, 157)


def test_copies_of_a_tiled_photograph_are_tiled_too(rng, network, monkeypatch):
    """Whole, a copy would need more memory than the tiles of the photograph."""
    monkeypatch.setattr(restorer_module, "WHOLE_PIXELS", 150 * 150)
    monkeypatch.setattr(restorer_module, "TILE", 72)
    image = picture(rng, 160, 176)
    restorer = Restorer(network, scales=(1, 2))
    seen, steps, run = [], [], restorer.engine
    monkeypatch.setattr(
        restorer,
        "engine",
        lambda function, inputs, **more: (
            seen.append(inputs["blurred"].shape[1:3])
            or run(function, inputs=inputs, **more)
        ),
    )
    tiled = restorer.restore(image, on_progress=lambda *counts: steps.append(counts))
    assert max(max(shape) for shape in seen) <= 72
    assert steps[-1] == (len(seen), len(seen))
    whole = Restorer(network, tile=0, scales=(1, 2)).restore(image)
    np.testing.assert_allclose(tiled, whole, atol=1e-5)


def test_progress_counts_every_size(rng, network):
    steps = []
    restorer = Restorer(network, tile=48, scales=(1, 2), ensemble=True)
    restorer.restore(picture(rng), on_progress=lambda *step: steps.append(step))
    assert [done for done, _ in steps] == list(range(1, len(steps) + 1))
    assert {total for _, total in steps} == {len(steps)}


def test_auto_goes_by_the_size_of_the_photograph():
    assert over_scales.scales_for("auto", 4000, 6000) == (1, 2, 4, 8)
    assert over_scales.scales_for("auto", 3000, 4000) == (1, 2, 4)
    assert over_scales.scales_for("auto", 1680, 1120) == (1, 2)
    assert over_scales.scales_for("auto", 504, 840) == (1,)
    assert over_scales.scales_for((1, 2), 5, 7) == (1, 2)


@pytest.mark.parametrize("scales", [(2,), (1, 4), "all", ()])
def test_other_scales_are_refused(network, scales):
    with pytest.raises(ValueError, match="scales must be"):
        Restorer(network, scales=scales)


def test_wrong_wishes_are_refused(rng, network):
    image, restorer = picture(rng), Restorer(network)
    with pytest.raises(ValueError, match="as large as the photograph"):
        restorer.restore(blurred=image, mask=np.ones((88, 72), np.float32))
    with pytest.raises(ValueError, match="mask must hold values in 0 to 1"):
        restorer.restore(blurred=image, mask=np.full((72, 88), np.nan, np.float32))
    with pytest.raises(ValueError, match="strength must lie in 0 to 1"):
        restorer.restore(blurred=image, strength=1.5)


def test_wide_blur_is_restored_and_sharp_places_are_not_touched(rng):
    """The shipped network and choice on leaves, in focus and blurred by 40 px."""
    sharp = textures.dead_leaves(rng, 256, 384).astype(np.float32)
    blurred = sharp.copy()
    disc = np.hypot(*np.mgrid[-20:21, -20:21]) <= 20
    wide = cv2.filter2D(sharp, -1, disc / disc.sum(), borderType=cv2.BORDER_REFLECT)
    blurred[:, 192:] = wide[:, 192:]
    image = levels.to_levels(blurred, "uint8")
    restorer = Restorer.from_preset(
        "kpac_3level", scales=(1, 2, 4, 8), protect_sharp=True
    )
    restored, defocus = restorer.restore(blurred=image, return_defocus=True)
    single = Restorer(restorer.model).restore(blurred=image)

    def error(result):
        difference = levels.to_float(result) - sharp
        return (difference[:, 240:] ** 2).mean()

    assert 10 * np.log10(error(image) / error(restored)) > 0.5
    assert error(restored) < 0.95 * error(single)
    np.testing.assert_array_equal(restored[:, :120], image[:, :120])
    assert np.median(defocus[:, :120]) < 2
    assert 25 < np.median(defocus[:, 260:]) < 60
