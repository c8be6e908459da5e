"""DRBNet against the authors' recorded tensors, its counts and its reach."""

import keras
import numpy as np
import pytest
from keras import ops

import tf_defocus
from tests.testing import (
    assert_agrees,
    golden_file,
    official_weights,
    reference_file,
)
from tf_defocus.ops.adaptive_convolution import dense_adaptive_convolution
from tf_defocus.restoration.restorer import Restorer

SMALL = {"base_filters": 4}
RECORDED = {"drbnet_single.npz": "drbnet", "drbnet_dual.npz": "drbnet_dual"}
NAMES = ("drbnet", "drbnet_dual")
OFFICIAL = {"blurred": "C", "left": "L", "right": "R"}


@pytest.fixture(params=sorted(RECORDED), scope="module")
def recorded(request):
    vectors = reference_file(request.param)
    name = RECORDED[request.param]
    model = tf_defocus.create_model(name, base_filters=8, variant="released")
    tf_defocus.conversion.load_official(model, official_weights(vectors))
    return model, vectors


def recorded_views(vectors):
    """The recorded images, whose range is [-1, 1]."""
    if "in/image" in vectors.files:
        return {"blurred": (vectors["in/image"] + 1) / 2}
    return {name: (vectors[f"in/{key}"] + 1) / 2 for name, key in OFFICIAL.items()}


def views_of(model, rng, *shape):
    return {name: rng.random((*shape, 3), "float32") for name in model.view_names}


def predictions_of(model, stages):
    """The blocks' filters, residuals and first filtered image, by recorded names."""
    found = {}
    for size, block in zip((8, 4, 2, 1), model.blocks):
        image = stages["img_d8" if size == 8 else f"est_d{size}_up"]
        filters, residual = block.predict(image, stages[f"f_d{size}"])
        found |= {f"kernel_d{size}": filters, f"res_d{size}": residual}
        if size == 8:
            found["fac_d8"] = dense_adaptive_convolution(image, filters, 7)
    return found


def test_every_recorded_tensor_agrees_with_the_authors(recorded):
    model, vectors = recorded
    stages = model.stages(recorded_views(vectors))
    found = {**stages, **predictions_of(model, stages), "f_dec": stages["f_d1"]}
    keys = [key for key in vectors.files if key.startswith("mid/")]
    assert len(keys) == 17
    for key in keys:
        name = key.removeprefix("mid/").split("@")[0]
        assert_agrees(ops.convert_to_numpy(found[name]), vectors, key)
    assert_agrees(ops.convert_to_numpy(stages["output"]), vectors, "output")


@pytest.mark.parametrize("training", [False, True])
def test_output_agrees_with_the_authors(recorded, training):
    model, vectors = recorded
    outputs = model(recorded_views(vectors), training=training)
    assert list(outputs) == ["deblurred"]
    output = 2 * ops.convert_to_numpy(outputs["deblurred"]) - 1
    assert_agrees(output, vectors, "output")


@pytest.mark.parametrize(
    ("name", "count"), [("drbnet", 11_689_616), ("drbnet_dual", 11_690_480)]
)
def test_parameter_count_equals_the_authors(name, count):
    assert tf_defocus.create_model(name).count_params() == count


def filled(name):
    """Fixed weights that leave most of the output unclipped."""
    random = np.random.default_rng(2022)
    model = tf_defocus.create_model(name, **SMALL)
    for weight in model.weights:
        fan_in = np.prod(weight.shape[:-1]) if len(weight.shape) > 1 else 2500
        weight.assign(random.normal(size=weight.shape) / np.sqrt(fan_in))
    return model


@pytest.mark.parametrize("name", NAMES)
def test_golden_output_is_unchanged(name):
    # Where the recorded vectors are absent; written when they agreed.
    model = filled(name)
    views = views_of(model, np.random.default_rng(2022), 1, 16, 24)
    with np.load(golden_file("drbnet.npz"), allow_pickle=False) as golden:
        expected = golden[name]
        assert expected.std() > 0.04
        np.testing.assert_allclose(
            model(views)["deblurred"], expected, atol=1e-4, rtol=2e-6
        )


def test_only_the_encoder_sees_the_views(rng):
    """Without its convolutions' answer the centre view alone makes the image."""
    model = filled("drbnet_dual")
    views = views_of(model, rng, 1, 16, 24)
    others = {**views, "left": views["right"], "right": views["left"]}
    before, swapped = (model(v)["deblurred"] for v in (views, others))
    assert np.abs(before - swapped).max() > 1e-3
    for layer in (model.context[-1], *(parts[0] for parts in model.decoder)):
        for weight in layer.weights:
            weight.assign(ops.zeros_like(weight))
    # The skips carry the views too: close them where they enter.
    for parts in model.encoder:
        for weight in parts[-1].weights:
            weight.assign(ops.zeros_like(weight))
    np.testing.assert_array_equal(model(views)["deblurred"], model(others)["deblurred"])


def test_output_is_clipped_in_training_too(rng):
    model = tf_defocus.create_model("drbnet", **SMALL)
    model.blocks[-1].residual[-1].bias.assign([9.0, 0.0, -90.0])
    image = rng.random((1, 8, 16, 3), dtype="float32")
    deblurred = model({"blurred": image}, training=True)["deblurred"]
    assert (np.asarray(deblurred)[..., 0] == 1).all()
    assert (np.asarray(deblurred)[..., 2] == 0).all()


@pytest.mark.parametrize("filter_size", [7, 15])
def test_receptive_field_bounds_what_reaches_a_pixel(rng, filter_size):
    """A NaN reaches whatever depends on it, but through the clip."""
    model = tf_defocus.create_model("drbnet", base_filters=1, filter_size=filter_size)
    reach = model.receptive_field // 2
    image = rng.random((1, 8, (reach // 8 + 2) * 8, 3), dtype="float32")
    image[:, :, 0] = np.nan
    estimate = np.asarray(model.stages({"blurred": image})["est_d1"])
    touched = np.flatnonzero(np.isnan(estimate).any(axis=(0, 1, 3)))
    assert reach - 16 <= touched[-1] <= reach


def test_tiles_are_exact(rng):
    model = filled("drbnet")
    image = rng.random((16, 408, 3), dtype="float32")
    tiler = Restorer(model, tile=400)
    assert model.exact_tiling and len(tiler.plan(16, 408)[0]) > 1
    tiled, whole = (r.restore(blurred=image) for r in (tiler, Restorer(model)))
    np.testing.assert_allclose(tiled, whole, atol=1e-5, rtol=2e-6)


def test_an_exported_graph_loads_and_gives_the_restorers_numbers(rng, tmp_path):
    tf = pytest.importorskip("tensorflow", reason="exports need TensorFlow")
    from tf_defocus.export import saved_model

    model = filled("drbnet")
    saved_model.export_saved_model(model, tmp_path / "served", "drbnet")
    served = tf.saved_model.load(tmp_path / "served").signatures["serving_default"]
    image = rng.random((21, 37, 3), dtype="float32")
    restored = Restorer(model).restore(blurred=image)
    assert restored.shape == image.shape and restored.std() > 0.04
    exported = served(blurred=tf.constant(image[None]))["deblurred"]
    np.testing.assert_allclose(exported[0], restored, atol=1e-5, rtol=2e-6)


def test_filters_are_applied_in_float32_under_mixed_precision(rng):
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = tf_defocus.create_model("drbnet", **SMALL)
    finally:
        keras.config.set_dtype_policy(previous)
    stages = model.stages({"blurred": rng.random((1, 8, 16, 3), dtype="float32")})
    assert keras.backend.standardize_dtype(stages["f_d1"].dtype) == "bfloat16"
    for name in ("est_d8", "est_d4_up", "est_d1"):
        assert keras.backend.standardize_dtype(stages[name].dtype) == "float32"


def test_model_round_trips(rng, tmp_path):
    model = tf_defocus.create_model("drbnet_dual", base_filters=2, filter_size=5)
    views = views_of(model, rng, 1, 8, 16)
    model.save(tmp_path / "drbnet.keras")
    clone = keras.models.load_model(tmp_path / "drbnet.keras")
    assert clone.get_config() == model.get_config()
    np.testing.assert_array_equal(clone(views)["deblurred"], model(views)["deblurred"])


@pytest.mark.parametrize(
    "wrong",
    [{"base_filters": 0}, {"filter_size": 6}, {"views": 3}, {"variant": "code"}],
    ids=str,
)
def test_bad_arguments_are_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        tf_defocus.create_model("drbnet", **wrong)
