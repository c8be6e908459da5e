"""SRN against the authors' recorded tensors, in both forms, and its counts."""

import keras
import numpy as np
import pytest

import tf_defocus
from tests.testing import (
    assert_agrees,
    fill_with_waves,
    golden_file,
    official_weights,
    reference_file,
)
from tf_defocus.configs import get_recipe
from tf_defocus.models.srn import SRN
from tf_defocus.ops.resizing import double_from_corner
from tf_defocus.training.objectives import RestorationObjective

FORMS = {
    "srn_color.npz": {"base_filters": 8, "recurrent": False, "channels": 3},
    "srn_lstm.npz": {"base_filters": 4, "recurrent": True, "channels": 1},
}
SCALES = {
    "output": "deblurred",
    "output_2": "deblurred_half",
    "output_4": "deblurred_quarter",
}


@pytest.fixture(params=sorted(FORMS), scope="module")
def recorded(request):
    vectors = reference_file(request.param)
    model = tf_defocus.create_model("srn", **FORMS[request.param], variant="released")
    tf_defocus.conversion.load_official(model, official_weights(vectors))
    return model, vectors


def test_every_scale_agrees_with_the_authors(recorded):
    model, vectors = recorded
    outputs = model({"blurred": vectors["in/image"]})
    assert list(outputs) == list(SCALES.values())
    for key, name in SCALES.items():
        assert_agrees(outputs[name], vectors, key)


def test_every_recorded_intermediate_agrees_with_the_authors(recorded):
    model, vectors = recorded
    estimate, state, compared = None, None, 0
    for scale, step in enumerate((4, 2, 1), start=1):
        blurred = vectors["in/image"][:, ::step, ::step]
        inputs = model.network_input(blurred, estimate)
        state = None if state is None else double_from_corner(state)
        found = {"inp": inputs, **model.network.stages(inputs, state)}
        for key in vectors.files:
            if key.startswith(f"s{scale}/"):
                assert_agrees(found[key.split("/")[1]], vectors, key)
                compared += 1
        estimate, state = found["image"], found["state"]
    assert compared == (28 if model.recurrent else 25)


def test_loss_agrees_with_the_authors(recorded):
    _, vectors = recorded
    sharp = vectors["in/target"]
    assert_agrees(sharp[:, ::4, ::4], vectors, "op/target_4")
    assert_agrees(sharp[:, ::2, ::2], vectors, "op/target_2")
    outputs = {name: vectors[key] for key, name in SCALES.items()}
    objective = RestorationObjective(get_recipe("srn_paper"))
    loss, terms = objective(outputs, {"sharp": sharp})
    assert float(terms["mse"]) == pytest.approx(vectors["loss/levels"][2], rel=1e-5)
    assert float(loss) == pytest.approx(float(vectors["loss/total"][0]), rel=1e-5)


COUNTS = [
    ({"recurrent": False}, 6_881_251),
    ({"recurrent": False, "channels": 1}, 6_876_449),
    ({"channels": 1}, 8_056_609),
    ({}, 8_061_411),
]


@pytest.mark.parametrize(("overrides", "count"), COUNTS)
def test_parameter_count_equals_the_authors(overrides, count):
    assert tf_defocus.create_model("srn", **overrides).count_params() == count


def test_one_channel_restores_colours_one_by_one(rng):
    model = tf_defocus.create_model("srn", base_filters=2, channels=1)
    fill_with_waves(model)
    image = rng.random((2, 16, 32, 3), dtype=np.float32)
    together = model({"blurred": image})
    for colour in range(3):
        alone = model({"blurred": image[..., colour : colour + 1]})
        for name in SCALES.values():
            expected = np.asarray(alone[name])[..., 0]
            actual = np.asarray(together[name])[..., colour]
            np.testing.assert_allclose(actual, expected, atol=1e-5, rtol=2e-6)


def test_no_gradient_passes_from_estimate_to_estimate(rng):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("the gradient is taken with TensorFlow's tape")
    import tensorflow as tf

    model = tf_defocus.create_model("srn", base_filters=2, recurrent=False)
    estimate = tf.constant(rng.random((1, 8, 8, 3), dtype=np.float32))
    blurred = tf.constant(rng.random((1, 16, 16, 3), dtype=np.float32))
    with tf.GradientTape() as tape:
        tape.watch((estimate, blurred))
        total = tf.reduce_sum(model.network_input(blurred, estimate))
    of_estimate, of_blurred = tape.gradient(total, (estimate, blurred))
    assert of_estimate is None
    np.testing.assert_array_equal(of_blurred, np.ones((1, 16, 16, 3)))


@pytest.mark.parametrize("recurrent", [True, False])
def test_nothing_beyond_the_receptive_field_matters(recurrent):
    model = SRN(1, recurrent)
    model.build()
    for weight in model.weights:  # paths to the farthest pixels alone
        value = np.zeros(weight.shape, "float32")
        if weight.path.endswith("kernel"):
            middle = value.shape[0] // 2
            value[middle, [0, -1]] = 0.6
        weight.assign(value)
    width, edge = 2976, 1488
    image = np.zeros((1, 16, width, 3), "float32")
    image[:, :, edge : edge + 16] = 1
    output = np.asarray(model({"blurred": image})["deblurred"])
    reached = np.flatnonzero(output.any(axis=(0, 1, 3)))
    distance = max(edge - reached.min(), reached.max() - edge - 15)
    reach = model.receptive_field // 2
    assert 0.6 * reach < distance <= reach


def test_golden_output_is_unchanged():
    with np.load(golden_file("srn.npz"), allow_pickle=False) as golden:
        model = tf_defocus.create_model("srn", base_filters=2)
        fill_with_waves(model)
        outputs = model({"blurred": golden["blurred"]})
        for name in SCALES.values():
            assert golden[name].std() > 1e-3
            np.testing.assert_allclose(
                outputs[name], golden[name], rtol=1e-5, atol=1e-5
            )


@pytest.mark.parametrize(
    "argument", [{"base_filters": 0}, {"channels": 2}, {"variant": "code"}], ids=str
)
def test_unknown_argument_is_refused(argument):
    with pytest.raises(ValueError, match=next(iter(argument))):
        tf_defocus.create_model("srn", **argument)
