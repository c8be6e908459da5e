"""DMENet and what trains it: the authors' recorded tensors, sizes, refusals."""

import keras
import numpy as np
import pytest

from tests.testing import (
    assert_agrees,
    golden_file,
    official_weights,
    reference_file,
)
from tf_defocus import conversion, create_model
from tf_defocus.conversion.dmenet import assignments
from tf_defocus.models.dmenet_domains import BinaryNetwork, FeatureDiscriminator

INTERMEDIATES = {  # name in the recorded file -> our stage
    **{f"enc/d{level}": f"encoded_{2**level}" for level in range(5)},
    **{f"aux/u{level}": f"auxiliary_{2**level}" for level in range(5)},
    "mid/u0_init": "features",
    "mid/refine1": "refined_1",
    "mid/refine7": "refined_7",
    "output": "defocus",
}


@pytest.fixture
def recorded():
    """The authors' network at an eighth of the filters, fresh, and its vectors."""
    vectors = reference_file("dmenet.npz")
    model = create_model("dmenet", base_filters=8, variant="released")
    conversion.load_official(model, official_weights(vectors))
    return model, vectors


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_every_stage_agrees_with_the_authors(recorded, mode):
    model, vectors = recorded
    stages = model.stages({"blurred": vectors["in/image"]}, training=mode == "train")
    keys = [k for k in vectors.files if k.startswith(f"{mode}/")]
    names = {k.removeprefix(f"{mode}/") for k in keys}
    assert names - {"binary_logits", "disc_logits"} == set(INTERMEDIATES)
    for name, ours in INTERMEDIATES.items():
        assert_agrees(stages[ours], vectors, f"{mode}/{name}")


def test_running_statistics_agree_after_one_step(recorded):
    model, vectors = recorded
    model({"blurred": vectors["in/image"]}, training=True)
    checked = 0
    for assignment in assignments(model):
        key = f"bn_after_train/{assignment.name}"
        if key in vectors.files:
            assert_agrees(assignment.variable, vectors, key)
            checked += 1
    assert checked == sum(
        k.startswith("bn_after_train/main_net/defocus") for k in vectors.files
    )


def test_training_networks_agree_with_the_authors(recorded):
    model, vectors = recorded
    outputs = model({"blurred": vectors["in/image"]}, training=True)
    for network, inputs, key in (
        (BinaryNetwork(8), outputs["defocus"], "train/binary_logits"),
        (FeatureDiscriminator(8), outputs["features"], "train/disc_logits"),
    ):
        network.build()
        conversion.load_official(network, official_weights(vectors))
        assert_agrees(network(inputs, training=True), vectors, key)


def _trainable(model):
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


def test_parameter_counts_are_the_authors():
    model = create_model("dmenet")
    assert _trainable(model) == 26_939_819
    assert model.count_params() == 26_939_819 + 6_730
    for network, trainable, moving in (
        (BinaryNetwork(), 14_065, 672),
        (FeatureDiscriminator(), 2_827_200, 1_920),
    ):
        network.build()
        assert _trainable(network) == trainable
        assert network.count_params() == trainable + moving


def test_output_of_fixed_weights_is_the_stored_one():
    # Where the recorded vectors are absent; written when they agreed.
    expected = np.load(golden_file("dmenet.npz"))["defocus"]
    assert expected.std() > 0.01
    np.testing.assert_allclose(
        _output_of_fixed_weights(), expected, atol=1e-4, rtol=2e-6
    )


def _output_of_fixed_weights():
    random = np.random.default_rng(2019)
    model = create_model("dmenet", base_filters=2)
    for weight in model.weights:
        if len(weight.shape) == 4:
            scale = 1.5 / np.sqrt(np.prod(weight.shape[:-1]))
            weight.assign(random.normal(size=weight.shape) * scale)
    image = random.random((1, 32, 48, 3)).astype("float32")
    outputs = model({"blurred": image}, training=True)
    return keras.ops.convert_to_numpy(outputs["defocus"])


def test_receptive_field_is_what_an_impulse_reaches():
    model = create_model("dmenet", base_filters=2)
    for weight in model.weights:
        if len(weight.shape) == 4:  # neither do far paths vanish nor near ones overflow
            weight.assign(np.full(weight.shape, 1 / (3 * weight.shape[2])))
    model.defocus.activation = keras.activations.linear
    width = 512
    image = np.zeros((16, 16, width, 3), "float32")
    places = width // 2 + np.arange(16)  # every phase of the coarsest grid
    image[np.arange(16), :, places] = 100  # what is black ends at the first ReLU
    defocus = keras.ops.convert_to_numpy(model({"blurred": image})["defocus"])
    reached = (defocus > 0).any(axis=(1, 3))
    distances = [np.abs(np.flatnonzero(r) - p).max() for r, p in zip(reached, places)]
    assert max(distances) == model.receptive_field // 2 == 193


def test_outputs_are_float32_maps_whatever_the_size_and_precision(rng):
    model = create_model("dmenet", base_filters=2, dtype="mixed_bfloat16")
    for height, width in ((16, 48), (32, 16)):
        outputs = model({"blurred": rng.random((1, height, width, 3), "float32")})
        assert list(outputs) == [
            "defocus",
            *(f"auxiliary_{2**level}" for level in range(5)),
        ]
        for name, output in outputs.items():
            part = int(name.partition("_")[2] or 1)
            assert output.shape == (1, height // part, width // part, 1)
            assert keras.backend.standardize_dtype(output.dtype) == "float32"


@pytest.mark.parametrize(
    ("network", "wrong"),
    [
        ("dmenet", {"base_filters": 3}),
        ("dmenet", {"variant": "code"}),
        (BinaryNetwork, {"base_filters": 6}),
        (FeatureDiscriminator, {"base_filters": 0}),
    ],
)
def test_bad_arguments_are_refused_by_name(network, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        create_model(network, **wrong) if network == "dmenet" else network(**wrong)
