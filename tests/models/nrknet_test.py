"""NRKNet against the authors' recorded tensors, its counts and its series."""

import keras
import numpy as np
import pytest
from keras import ops

import tf_defocus
from tests.testing import (
    assert_agrees,
    fill_with_waves,
    golden_file,
    official_weights,
    reference_file,
)
from tf_defocus.conversion import nrknet as mapping
from tf_defocus.ops.resizing import double_bilinear, enlarge_bilinear

SMALL = {"base_filters": 4, "num_kernels": 3}
SCALES = (("1", "_quarter", 4), ("2", "_half", 2), ("3", "", 1))
STAGES = {
    "enc0": "encoder1",
    "enc2": "encoder3",
    "bottleneck": "bottleneck",
    "up1": "up1",
    "features": "features",
}


@pytest.fixture(scope="module")
def vectors():
    return reference_file("nrknet.npz")


def loaded(vectors):
    model = tf_defocus.create_model("nrknet", variant="released", base_filters=8)
    tf_defocus.conversion.load_official(model, official_weights(vectors))
    return model


@pytest.fixture(scope="module")
def recorded(vectors):
    return loaded(vectors)


@pytest.fixture(scope="module")
def model():
    network = tf_defocus.create_model("nrknet", **SMALL)
    fill_with_waves(network)
    return network


def keys_of(vectors, prefix):
    return {key.split("@")[0]: key for key in vectors.files if key.startswith(prefix)}


def test_output_agrees_with_the_authors(recorded, vectors):
    outputs = recorded({"blurred": vectors["in/image"]})
    assert list(outputs) == ["deblurred"]
    assert_agrees(outputs["deblurred"], vectors, "eval/output")


def test_every_stage_of_every_scale_agrees_with_the_authors(recorded, vectors):
    keys = keys_of(vectors, "eval/s")
    image, state, seen = vectors["in/image"], None, set()
    for scale, _, stride in SCALES:
        blurred = image[:, ::stride, ::stride]
        stages = recorded.stages(blurred)
        mixing, state = recorded.prediction(stages["features"], state=state)
        terms = recorded._terms(blurred, mixing, 4 - int(scale))
        found = {name: stages[stage] for name, stage in STAGES.items()}
        found |= {"mix": mixing, "h": state[0], "c": state[1], "residual": terms[-1]}
        for name, value in found.items():
            key = f"eval/s{scale}_{name}"
            if key in keys:
                assert_agrees(value, vectors, keys[key])
                seen.add(key)
        state = tuple(double_bilinear(part) for part in state)
    assert seen == set(keys)


def test_the_bank_agrees_with_the_authors(recorded, vectors):
    quarter = vectors["in/image"][:, ::4, ::4]
    np.testing.assert_array_equal(quarter, vectors["op/image_quarter"])
    key = keys_of(vectors, "op/bank_quarter")["op/bank_quarter"]
    assert_agrees(recorded.blur.bank(quarter), vectors, key)


def test_training_answers_and_statistics_agree_with_the_authors(vectors):
    model = loaded(vectors)
    outputs = model({"blurred": vectors["in/image"]}, training=True)
    assert_agrees(outputs["deblurred"], vectors, "train/deblurred_3")
    for index, (_, name, stride) in enumerate(SCALES):
        series = outputs[f"series{name}"]
        assert_agrees(series, vectors, f"train/deblurred_{index}")
        sharp = vectors["in/sharp"][:, ::stride, ::stride]
        reblurred = model.reblur(sharp, outputs[f"mixing{name}"])
        assert_agrees(reblurred, vectors, f"train/reblurred_{index}")
    running = {a.name: a.variable for a in mapping.assignments(model)}
    keys = [k for k in vectors.files if k.startswith("bn_after_train/")]
    assert len(keys) == 2
    for key in keys:
        assert_agrees(running[key.removeprefix("bn_after_train/")], vectors, key)


def test_batch_statistics_give_the_published_test_and_update_nothing(vectors):
    model = loaded(vectors)
    before = model.get_weights()
    outputs = model({"blurred": vectors["in/image"]}, batch_statistics=True)
    assert_agrees(outputs["deblurred"], vectors, "train/deblurred_3")
    for one, other in zip(before, model.get_weights()):
        np.testing.assert_array_equal(one, other)


def test_parameter_count_equals_the_papers():
    model = tf_defocus.create_model("nrknet")
    shapes = [v.shape for v in model.trainable_variables]
    assert sum(int(np.prod(shape)) for shape in shapes) == 6_094_107


def golden_image():
    random = np.random.default_rng(2023)
    return random.random((1, 16, 32, 3)).astype("float32")


def test_golden_outputs_are_unchanged(model):
    with np.load(golden_file("nrknet.npz"), allow_pickle=False) as golden:
        outputs = model({"blurred": golden_image()}, batch_statistics=True)
        assert golden["deblurred"].std() > 0.1
        np.testing.assert_allclose(
            outputs["deblurred"], golden["deblurred"], atol=1e-5, rtol=2e-6
        )


def test_the_output_adds_the_last_terms_to_the_photograph(model, rng):
    """Written out: t <- t - F t, three, two and one times from coarse to fine."""
    image, state = rng.random((1, 16, 32, 3), dtype="float32"), None
    expected = image
    for _, _, stride in SCALES:
        blurred = image[:, ::stride, ::stride]
        features = model.stages(blurred)["features"]
        mixing, state = model.prediction(features, state=state)
        term = blurred
        for _ in range({4: 3, 2: 2, 1: 1}[stride]):
            term = term - model.reblur(term, mixing)
        expected = expected + (term if stride == 1 else enlarge_bilinear(term, stride))
        state = tuple(double_bilinear(part) for part in state)
    actual = model({"blurred": image})["deblurred"]
    np.testing.assert_allclose(actual, expected, atol=1e-5, rtol=2e-6)


def test_the_smallest_image_is_one_pixel_at_the_coarsest(model, rng):
    for size in ((16, 16), (16, 48)):
        image = rng.random((1, *size, 3), dtype="float32")
        deblurred = ops.convert_to_numpy(model({"blurred": image})["deblurred"])
        assert deblurred.shape == image.shape and np.isfinite(deblurred).all()


@pytest.mark.parametrize("num_kernels", [2, 9])
def test_receptive_field_bounds_what_reaches_a_pixel(rng, num_kernels):
    """A NaN reaches whatever depends on it."""
    model = tf_defocus.create_model("nrknet", base_filters=2, num_kernels=num_kernels)
    reach = model.receptive_field // 2
    image = rng.random((1, 16, (reach // 16 + 2) * 16, 3), dtype="float32")
    image[:, :, 0] = np.nan
    deblurred = ops.convert_to_numpy(model({"blurred": image})["deblurred"])
    touched = np.flatnonzero(np.isnan(deblurred).any(axis=(0, 1, 3)))
    # The bound ignores where even and odd pixels fall in coarser ones.
    assert reach - 32 <= touched[-1] <= reach


def test_any_size_works_in_a_graph_of_dynamic_size(model, rng):
    tf = pytest.importorskip("tensorflow")

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3))])
    def deblur(blurred):
        return model({"blurred": blurred})

    for size in ((16, 32), (48, 16)):
        image = rng.random((2, *size, 3), dtype="float32")
        np.testing.assert_allclose(
            deblur(image)["deblurred"],
            model({"blurred": image})["deblurred"],
            atol=1e-5,
            rtol=2e-6,
        )


def test_model_round_trips(rng, tmp_path):
    model = tf_defocus.create_model("nrknet", **SMALL)
    image = {"blurred": rng.random((1, 16, 32, 3), dtype="float32")}
    model.save(tmp_path / "nrknet.keras")
    clone = keras.models.load_model(tmp_path / "nrknet.keras")
    assert clone.get_config() == model.get_config()
    np.testing.assert_array_equal(clone(image)["deblurred"], model(image)["deblurred"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_filters": 0},
        {"num_kernels": 0},
        {"num_residual_units": 0},
        {"variant": "code"},
    ],
    ids=str,
)
def test_bad_arguments_are_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        tf_defocus.create_model("nrknet", **wrong)
