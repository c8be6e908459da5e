"""K3DN: its counts, its stages and its ablations."""

import keras
import numpy as np
import pytest
from keras import ops

import tf_defocus
from tests.testing import golden_file
from tf_defocus.ops.padding import crop_like, pad_to_multiple
from tf_defocus.ops.windows import cut_windows, join_windows

WINDOWS = {"window_size": (4, 4), "pool_size": (2, 2), "pad_scale": (32, 32)}


def small(name="k3dn_tiny", **overrides):
    arguments = {"base_filters": 3, "encoder_residual_units": 1, "num_psf_blocks": 1}
    return tf_defocus.create_model(name, **{**WINDOWS, **arguments, **overrides})


def small_released(**overrides):
    return small(**{"variant": "released", **overrides})


# name: (training, first stage alone, inference form) as released, to a decimal those of
# the paper's table; and of the paper's equations
PARAMETERS = {
    "k3dn_tiny": ((3_086_438, 2_288_042, 3_040_358), 3_159_658, 3.00),
    "k3dn_lightweight": ((5_034_694, 3_287_346, 4_973_254), 5_170_738, 5.00),
    "k3dn_large": ((16_099_350, 10_556_754, 15_915_030), 15_606_994, 15.90),
    "k3dn_single": ((16_169_567, 10_663_193, 15_985_247), None, None),
}


def count(weights):
    return sum(int(np.prod(weight.shape)) for weight in weights)


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_parameters_are_as_many_as_the_authors(name):
    released, paper, printed = PARAMETERS[name]
    model = tf_defocus.create_model(name, variant="released")
    total = count(model.trainable_weights)
    preservation = sum(count(block.trainable_weights) for block in model.preservation)
    spectra = count(block.depthwise.half_spectra for block in model.psf_blocks)
    actual = (total, total - preservation, total - spectra)
    assert actual == released
    model.freeze_first_stage()
    assert count(model.trainable_weights) == preservation
    if printed:
        assert abs(released[2] / 1e6 - printed) < 0.05
        literal = count(tf_defocus.create_model(name).trainable_weights)
        assert literal == paper and abs(literal / 1e6 / printed - 1) < 0.06


def test_the_size_of_the_kernel_set_changes_the_set_alone():
    """[K3DN Table 5]: 64 to 192 kernels in the lightweight network."""
    counts = []
    for kernels in (64, 128, 192):
        model = tf_defocus.create_model("k3dn_lightweight", num_kernels=kernels)
        set_ = [w for block in model.psf_blocks for w in block.trainable_weights]
        # K and W_k, W_r, W_v of Eqs. 8 and 9, in each of four blocks
        assert count(set_) == 4 * kernels * (2 * 9 * 5 + 256 + kernels)
        counts.append(count(model.trainable_weights) - count(set_))
    assert len(set(counts)) == 1


def test_inference_form_has_no_spectra():
    model = small_released()
    spectra = count(block.depthwise.half_spectra for block in model.psf_blocks)
    inference = model.to_inference()
    expected = count(model.trainable_weights) - spectra
    assert count(inference.trainable_weights) == expected
    with pytest.raises(ValueError, match="only deblur"):
        inference.reblur(np.zeros((1, 64, 64, 3)), np.zeros((1, 2, 2, 256)))
    with pytest.raises(ValueError, match="frozen_kernels must be False"):
        small().to_inference()


def views_of(model, rng, size=(64, 64), batch=1):
    shape = (batch, *size, 3)
    return {name: rng.random(shape, dtype=np.float32) for name in model.view_names}


def golden_weights(model):
    """Weights that need no random numbers: sines, scaled to keep signals alive."""
    for index, weight in enumerate(model.weights):
        fan_in = np.prod(weight.shape[:-1]) if len(weight.shape) > 1 else 100
        values = np.sin(0.7 * np.arange(np.prod(weight.shape)) ** 1.1 + index)
        values = values.reshape(weight.shape) * (1.5 / fan_in) ** 0.5
        if weight.name in ("gamma", "moving_variance"):
            values = 1 + values
        elif weight.name == "permutation":
            values = np.roll(np.eye(len(values)), 5, axis=1)
        elif weight.name == "signs":
            values = np.sign(values)
        elif weight.name == "half_spectra":
            values = values * fan_in**0.5
        weight.assign(values)


@pytest.mark.parametrize("spectrum", ["blur", "deblur"])
def test_golden_output_is_unchanged(spectrum):
    model = small_released(spectrum=spectrum)
    golden_weights(model)
    recorded = {"blur": "paper", "deblur": "released"}[spectrum]
    with np.load(golden_file("k3dn.npz"), allow_pickle=False) as golden:
        views = {name: golden[name].astype("float32") for name in model.view_names}
        outputs = model(views)
        vectors = outputs["disparity_vectors"]
        reblurred = model.reblur(outputs["deblurred"], vectors)
        for name, value in (
            ("deblurred", outputs["deblurred"]),
            ("reblurred", reblurred),
        ):
            expected = golden[f"{recorded}/{name}"]
            np.testing.assert_allclose(value, expected, atol=1e-5, rtol=2e-6)


def test_the_papers_form_joins_the_blocks_as_figs_3_and_5(rng):
    """Encoder, PSF blocks, SRP block, decoder; sharp images take the same way."""
    model = small(num_psf_blocks=2, num_kernels=10)
    golden_weights(model)
    views = views_of(model, rng)
    vectors = model.disparity_vectors(views)
    flat = ops.reshape(vectors, (-1, 256))

    def restore(images, reverse):
        image = ops.concatenate([ops.array(i) - 0.5 for i in images], axis=-1)
        full, half, coarse = model._encode(image)
        features = cut_windows(coarse, model.window_size)
        for block in model.psf_blocks:
            features = block(features, flat, reverse=reverse)
        features = join_windows(features, coarse, model.window_size)
        features = model.preservation[0](coarse, features)
        for skip, enlarge, decode in zip(
            (half, full, image), model.enlargements, model.decoder
        ):
            features = decode(ops.concatenate([skip, enlarge(features)], axis=-1))
        return ops.clip(model.output_convolution(features), -1, 1) + 0.5

    expected = restore(views.values(), reverse=False)
    np.testing.assert_allclose(
        model(views)["deblurred"], expected, atol=1e-5, rtol=2e-6
    )
    sharp = rng.random(views["left"].shape, dtype=np.float32)
    expected = restore([sharp, sharp], reverse=True)
    np.testing.assert_allclose(
        model.reblur(sharp, vectors), expected, atol=1e-5, rtol=2e-6
    )
    (similarity,) = model.similarity_maps(views)
    assert similarity.shape == (1, 8, 8, 81)


VARIANTS = pytest.mark.parametrize("variant", ["paper", "released"])


@VARIANTS
def test_reblurring_is_the_reverse_pass_of_the_same_weights(rng, variant):
    """[K3DN Eq. 17]"""
    model = small(variant=variant)
    golden_weights(model)  # at the start the kernels' part of the output is tiny
    views = views_of(model, rng)
    sharp = rng.random(views["left"].shape, dtype=np.float32)
    inputs = {**views, "sharp": sharp}
    outputs = model(inputs, training=True)
    vectors = outputs["disparity_vectors"]
    expected = model.reblur(sharp, vectors)
    np.testing.assert_allclose(outputs["reblurred"], expected, atol=1e-6, rtol=2e-6)
    shifted = ops.convert_to_tensor(sharp) - 0.5
    same = model._restore([shifted, shifted], vectors)
    assert np.abs(np.asarray(same) - np.asarray(expected)).max() > 1e-4
    assert "reblurred" not in model(inputs)
    assert "reblurred" not in model(views, training=True)
    assert "reblurred" not in small(reblurring=False)(inputs, training=True)


@VARIANTS
def test_gradients_of_both_passes_reach_every_weight(rng, variant):
    tf = pytest.importorskip("tensorflow")
    model = small(variant=variant)
    golden_weights(model)
    views = views_of(model, rng, (128, 128))
    views["sharp"] = views["right"][:, ::-1]
    with tf.GradientTape() as tape:
        outputs = model(views, training=True)
        deblurring = tf.reduce_mean((outputs["deblurred"] - views["left"]) ** 2)
        reblurring = tf.reduce_mean((outputs["reblurred"] - views["right"]) ** 2)
        loss = deblurring + 0.5 * reblurring
    gradients = tape.gradient(loss, model.trainable_variables)
    for weight, gradient in zip(model.trainable_variables, gradients):
        assert np.isfinite(gradient).all(), weight.path
        assert np.abs(gradient).max() > 0, weight.path


def test_second_stage_starts_from_the_first_and_trains_preservation_only(rng):
    tf = pytest.importorskip("tensorflow")
    first = small_released(sharp_region_preservation=False)
    golden_weights(first)
    second = first.second_stage()
    views = views_of(first, rng)
    np.testing.assert_array_equal(
        second.disparity_vectors(views), first.disparity_vectors(views)
    )
    for block in second.preservation:  # so that a block passes all it gets
        block.last.kernel.assign(ops.zeros_like(block.last.kernel))
    np.testing.assert_allclose(
        second(views)["deblurred"], first(views)["deblurred"], atol=1e-6, rtol=2e-6
    )
    before = [np.asarray(weight) for weight in first.weights]
    optimizer = keras.optimizers.Adam(0.01)
    with tf.GradientTape() as tape:
        outputs = second(views, training=True)
        loss = tf.reduce_mean((outputs["deblurred"] - views["left"]) ** 2)
    variables = second.trainable_variables
    assert {v.path.split("/")[1] for v in variables} == {"srp0", "srp1", "srp2"}
    optimizer.apply(tape.gradient(loss, variables), variables)
    frozen = [w for w in second.weights if "/srp" not in w.path]
    assert len(frozen) == len(before)
    by_path = dict(zip((w.path for w in first.weights), before))
    for weight in frozen:  # running statistics included
        np.testing.assert_array_equal(weight, by_path[weight.path])


def test_freezing_a_first_stage_model_is_an_error():
    with pytest.raises(ValueError, match="second_stage"):
        small(sharp_region_preservation=False).freeze_first_stage()


def test_one_crop_is_learned(rng):
    tf = pytest.importorskip("tensorflow")
    model = small(sharp_region_preservation=False, variant="released")
    views = views_of(model, rng)
    sharp = views["sharp"] = 0.5 * (views["left"] + views["right"])
    optimizer = keras.optimizers.AdamW(3e-3)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            outputs = model(views, training=True)
            error = tf.reduce_mean((outputs["deblurred"] - sharp) ** 2)
            blurred = tf.reduce_mean((outputs["reblurred"] - sharp) ** 2)
            loss = error + 0.5 * blurred
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)
        return error

    optimizer.build(model.trainable_variables)
    errors = [float(step()) for _ in range(40)]
    assert errors[-1] < 0.5 * errors[0]


@pytest.mark.parametrize(
    "ablation",
    [
        {"num_psf_blocks": 0},
        {"sharp_region_preservation": False},
        {"reblurring": False},
        {"num_psf_blocks": 0, "sharp_region_preservation": False},
        {"variant": "released"},
        {"num_kernels": 16},
    ],
)
def test_ablations_compute_another_image(rng, ablation):
    """[K3DN Table 4]"""
    keras.utils.set_random_seed(1)
    model = small(**ablation)
    views = views_of(model, rng)
    inputs = {**views, "sharp": views["right"]}
    outputs = model(inputs, training=True)
    assert next(iter(outputs)) == "deblurred"
    assert outputs["deblurred"].shape == views["left"].shape
    assert ("disparity_vectors" in outputs) == (model.num_psf_blocks > 0)
    assert ("reblurred" in outputs) == model.reblurring
    assert np.asarray(outputs["deblurred"]).std() > 1e-5
    blocks = {"paper": 1, "released": 3}[model.variant]
    assert len(model.preservation) == blocks * model.sharp_region_preservation


def test_padded_images_of_any_size_keep_their_size_and_their_windows(rng):
    model = small()
    views = views_of(model, rng, (45, 70))
    padded = {k: pad_to_multiple(v, model.size_multiple) for k, v in views.items()}
    outputs = model(padded)
    assert outputs["disparity_vectors"].shape[1:3] == (2, 3)
    deblurred = crop_like(outputs["deblurred"], views["left"])
    assert deblurred.shape == (1, 45, 70, 3)
    other = {k: np.concatenate([v] * 2) for k, v in padded.items()}
    both = model(other)["deblurred"]  # images of a batch do not mix
    np.testing.assert_allclose(both[1:], outputs["deblurred"], atol=1e-5, rtol=2e-6)


def test_default_windows_take_the_smallest_image(rng):
    model = small(window_size=(18, 14), pool_size=(5, 4), pad_scale=(288, 224))
    assert model.size_multiple == (144, 112)
    outputs = model(views_of(model, rng, (144, 112)))
    assert outputs["disparity_vectors"].shape == (1, 1, 1, 256)
    assert np.isfinite(outputs["deblurred"]).all()


def test_sizes_stay_dynamic(rng):
    tf = pytest.importorskip("tensorflow")
    model = small()
    signature = {
        name: tf.TensorSpec((None, None, None, 3)) for name in model.view_names
    }
    function = tf.function(model, input_signature=[signature])
    for size in ((32, 64), (96, 32)):
        views = views_of(model, rng, size)
        actual = function(views)["deblurred"]
        np.testing.assert_allclose(
            actual, model(views)["deblurred"], atol=1e-5, rtol=2e-6
        )


def test_output_is_clipped_by_the_network(rng):
    model = small()
    model.output_convolution.kernel.assign(
        ops.full(model.output_convolution.kernel.shape, 1e3)
    )
    deblurred = np.asarray(model(views_of(model, rng))["deblurred"])
    assert deblurred.min() >= -0.5 and deblurred.max() <= 1.5
    assert {-0.5, 1.5} & set(np.unique(deblurred))


def test_model_round_trips_through_its_config(rng):
    model = small("k3dn_single", num_psf_blocks=2, truncate=30, variant="released")
    clone = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(model)
    )
    assert clone.get_config() == model.get_config()
    clone.build()
    clone.set_weights(model.get_weights())
    views = views_of(model, rng)
    expected = model(views)["deblurred"]
    np.testing.assert_allclose(
        clone(views)["deblurred"], expected, atol=1e-6, rtol=2e-6
    )


def test_bad_views_and_arguments_are_named(rng):
    model = small()
    views = views_of(model, rng)
    with pytest.raises(ValueError, match=r"expects the views \('left', 'right'\)"):
        model({"left": views["left"]})
    with pytest.raises(ValueError, match="must have one size"):
        model({"left": views["left"], "right": views["right"][:, :32]})
    with pytest.raises(ValueError, match=r"multiples of \(32, 32\)"):
        model(views_of(model, rng, (33, 64)))
    with pytest.raises(ValueError, match="views must be"):
        small(views=3)
    with pytest.raises(ValueError, match="variant must be"):
        small(variant="official")
    with pytest.raises(ValueError, match="num_kernels must be"):
        small_released(num_kernels=13)
    with pytest.raises(ValueError, match="spectrum must be"):
        small_released(spectrum="sharp")
