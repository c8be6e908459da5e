"""GKMNet against the authors' recorded tensors, its counts and its ablations."""

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
from tf_defocus.conversion import gkmnet as mapping
from tf_defocus.layers.gkmnet_gates import AttentionGate
from tf_defocus.models.gkmnet import GKMNet
from tf_defocus.ops.resizing import double_bilinear, halve_antialiased

BLOCKS = ("s1_in_triplet", "s1_down1", "s1_down2", "s1_bottleneck", "s1_up3", "s1_up4")
MODES = {
    "eval": {"training": False},
    "train": {"training": False, "batch_statistics": True},
}


@pytest.fixture(scope="module")
def vectors():
    return reference_file("gkmnet.npz")


@pytest.fixture(scope="module")
def recorded(vectors):
    model = tf_defocus.create_model("gkmnet", variant="released", pyramid="inputs")
    tf_defocus.conversion.load_official(model, official_weights(vectors))
    return model


@pytest.fixture(scope="module")
def model():
    """The default network with smooth weights that leave no part silent."""
    network = tf_defocus.create_model("gkmnet")
    fill_with_waves(network)
    return network


def views_of(vectors):
    return {
        "blurred": vectors["in/full"],
        "blurred_half": vectors["in/half"],
        "blurred_quarter": vectors["in/quarter"],
    }


@pytest.mark.parametrize("mode", sorted(MODES))
def test_outputs_of_every_scale_agree_with_the_authors(recorded, vectors, mode):
    outputs = recorded(views_of(vectors), **MODES[mode])
    assert list(outputs) == ["deblurred", "deblurred_half", "deblurred_quarter"]
    assert_agrees(outputs["deblurred"], vectors, f"{mode}/out_full")
    assert_agrees(outputs["deblurred_half"], vectors, f"{mode}/out_half")
    assert_agrees(outputs["deblurred_quarter"], vectors, f"{mode}/out_quarter")


@pytest.mark.parametrize("mode", sorted(MODES))
def test_attention_tensors_agree_with_the_authors(recorded, vectors, mode):
    attention, settings = recorded.attention, MODES[mode]
    quarter = vectors["in/quarter"]
    first = attention.full_in.residual_features(quarter, **settings)
    assert_agrees(first, vectors, f"{mode}/s1_in_res_block")
    gate = attention.full_in.attention.gates[0](first, **settings)
    assert_agrees(first * gate, vectors, f"{mode}/s1_in_gate_hw")
    for name, features in zip(BLOCKS, attention.features(quarter, **settings)):
        assert_agrees(features, vectors, f"{mode}/{name}")
    weights, state = attention(quarter, **settings)
    assert_agrees(weights, vectors, f"{mode}/s1_weights")
    assert_agrees(state[0], vectors, f"{mode}/s1_h")
    assert_agrees(state[1], vectors, f"{mode}/s1_c")
    state = tuple(double_bilinear(part) for part in state)
    _, state = attention(vectors["in/half"], state=state, **settings)
    assert_agrees(state[0], vectors, f"{mode}/s2_h")
    assert_agrees(state[1], vectors, f"{mode}/s2_c")


def test_filtered_images_agree_with_the_authors(recorded, vectors):
    maps = recorded.summation.convolution(vectors["in/quarter"])
    assert_agrees(maps, vectors, "gcm_quarter")


def test_training_updates_running_statistics_as_the_authors(vectors):
    model = tf_defocus.create_model("gkmnet", variant="released", pyramid="inputs")
    tf_defocus.conversion.load_official(model, official_weights(vectors))
    outputs = model(views_of(vectors), training=True)
    assert_agrees(outputs["deblurred"], vectors, "train/out_full")
    running = {a.name: a.variable for a in mapping.assignments(model)}
    keys = [k for k in vectors.files if k.startswith("bn_after_train/")]
    assert len(keys) == 72
    for key in keys:
        assert_agrees(running[key.removeprefix("bn_after_train/")], vectors, key)


OWN = {"share_iterations": False}
COUNTS = [  # of our networks, and millions as printed: cut off, not rounded
    ({}, 1_409_131, 1.41),
    ({"variant": "released"}, 1_409_131, 1.41),
    ({"bank": "paper21"}, 1_384_923, None),
    ({"recurrent": False}, 1_109_799, 1.11),  # Table 4 b
    ({"num_scales": 1}, 1_409_131, 1.41),  # Table 4 a
    ({"gaussian_mixture": False}, 1_408_867, 1.41),  # Table 4 c
    # Printed is 1.41: the authors count the bank as fixed.
    ({"trainable_gaussians": True}, 1_409_131 + 66 * 21 * 21, None),  # Table 4 d
    ({"trainable_gaussians": "random"}, 1_409_131 + 66 * 21 * 21, None),  # Table 4 e
    ({"num_scales": 1, "num_iterations": 3}, 1_409_131, 1.41),  # Table 5
    ({"num_scales": 2, "num_iterations": 3, **OWN}, 3 * 1_409_131, 4.22),
    ({"num_scales": 3, "num_iterations": 2, **OWN}, 2 * 1_409_131, 2.81),
]


@pytest.mark.parametrize(("overrides", "count", "printed"), COUNTS)
def test_parameter_count_equals_the_papers(overrides, count, printed):
    model = tf_defocus.create_model("gkmnet", **overrides)
    assert sum(int(np.prod(v.shape)) for v in model.trainable_variables) == count
    if printed:
        assert abs(count / 1e6 - printed) < 0.01


def test_golden_output_is_unchanged(model):
    with np.load(golden_file("gkmnet.npz"), allow_pickle=False) as golden:
        outputs = model({"blurred": golden["blurred"]})
        for name, image in outputs.items():
            np.testing.assert_allclose(image, golden[name], atol=1e-5, rtol=2e-6)


def test_internal_pyramid_equals_given_halves_and_quarters(model, rng):
    image = rng.random((1, 32, 16, 3), dtype="float32")
    half = halve_antialiased(image)
    given = GKMNet(pyramid="inputs")
    given.build()
    given.set_weights(model.get_weights())
    assert given.view_names == ("blurred", "blurred_half", "blurred_quarter")
    views = {
        "blurred": image,
        "blurred_half": half,
        "blurred_quarter": halve_antialiased(half),
    }
    actual, expected = model({"blurred": image}), given(views)
    for name in expected:
        np.testing.assert_allclose(actual[name], expected[name], atol=1e-6, rtol=2e-6)


def test_paper_adds_the_blurred_image_eq_9(model, rng):
    """[GKMNet Eq. 9]"""
    image = rng.random((1, 16, 32, 3), dtype="float32")
    kernel, bias = model.summation.kernel, model.summation.bias
    before = kernel.numpy(), bias.numpy()
    kernel.assign(np.zeros(kernel.shape))
    bias.assign([0.1, 0.2, 0.3])
    outputs = model({"blurred": image})
    kernel.assign(before[0])
    bias.assign(before[1])
    shifted = image + np.float32([0.1, 0.2, 0.3])
    np.testing.assert_allclose(outputs["deblurred"], shifted, atol=1e-6, rtol=2e-6)
    half = halve_antialiased(image) + np.float32([0.1, 0.2, 0.3])
    np.testing.assert_allclose(outputs["deblurred_half"], half, atol=1e-6, rtol=2e-6)


def test_every_iteration_and_scale_is_one_step(model, rng):
    """S = 2 scales of R = 2 iterations, unrolled by hand (Table 5)."""
    repeated = GKMNet(num_scales=2, num_iterations=2)
    repeated.build()
    repeated.set_weights(model.get_weights())
    image = rng.random((1, 16, 24, 3), dtype="float32")
    estimate, state = blurred = halve_antialiased(image), None
    for scale in (blurred[0], image):
        for _ in range(2):
            weights, state = model.attention(scale, state=state)
            estimate = scale + model.summation(scale, estimate, weights)
        coarse, estimate = estimate, double_bilinear(estimate)
        state = tuple(double_bilinear(part) for part in state)
    outputs = repeated({"blurred": image})
    assert list(outputs) == ["deblurred", "deblurred_half"]
    np.testing.assert_allclose(outputs["deblurred"], coarse, atol=1e-5, rtol=2e-6)


def test_iterations_of_their_own_weights_are_steps_too(model, rng):
    """S = 2, R = 2 with unshared weights: with equal ones, the shared network."""
    arguments = {"num_scales": 2, "num_iterations": 2}
    shared, own = GKMNet(**arguments), GKMNet(**arguments, **OWN)
    for network in (shared, own):
        network.build()
    shared.set_weights(model.get_weights())
    weights = dict(zip((w.path for w in shared.weights), shared.get_weights()))
    first = "/".join(shared.weights[0].path.split("/")[:1])
    for weight in own.weights:
        layer, *rest = weight.path.split("/")[1:]
        name = "/".join([first, layer.removesuffix("_2"), *rest])
        weight.assign(weights[name])
    views = {"blurred": rng.random((1, 16, 24, 3), dtype="float32")}
    expected = shared(views)["deblurred"]
    np.testing.assert_allclose(own(views)["deblurred"], expected, atol=1e-6, rtol=2e-6)
    attention = own.further_steps[0][1].prediction.convolution
    attention.kernel.assign(attention.kernel + 0.1)
    assert np.abs(np.asarray(own(views)["deblurred"] - expected)).max() > 1e-4


def test_without_the_mixture_the_attention_alone_answers(rng):
    """[GKMNet Tab. 4] c: a 1x1 convolution with a sigmoid outputs the image."""
    model = tf_defocus.create_model("gkmnet", gaussian_mixture=False, num_scales=1)
    image = rng.random((1, 8, 8, 3), dtype="float32")
    weights, _ = model.attention(image)
    kernel, bias = model.summation.get_weights()
    expected = 1 / (1 + np.exp(-(np.asarray(weights) @ kernel[0, 0] + bias)))
    actual = model({"blurred": image})["deblurred"]
    np.testing.assert_allclose(actual, expected, atol=1e-5, rtol=2e-6)


def test_without_the_lstm_scales_share_no_state(rng):
    model = tf_defocus.create_model("gkmnet", recurrent=False, num_scales=2)
    outputs = model({"blurred": rng.random((1, 16, 8, 3), dtype="float32")})
    weights, state = model.attention(outputs["deblurred"])
    assert state is None
    assert np.isfinite(outputs["deblurred"]).all() and float(ops.std(weights)) > 0


@pytest.mark.parametrize("num_scales", [1, 2])
def test_receptive_field_bounds_the_convolutions(rng, monkeypatch, num_scales):
    """A NaN reaches whatever depends on it; the pooled gates are shut off."""
    call = AttentionGate.call
    monkeypatch.setattr(
        AttentionGate,
        "call",
        lambda gate, x, **mode: call(gate, x, **mode) if gate.pooled_axis == 3 else 0.5,
    )
    model = GKMNet(num_scales=num_scales)
    reach = model.receptive_field // 2
    image = rng.random((1, 16, (reach // 16 + 2) * 16, 3), dtype="float32")
    image[:, :, 0] = np.nan
    deblurred = np.asarray(model({"blurred": image})["deblurred"])
    touched = np.flatnonzero(np.isnan(deblurred).any(axis=(0, 1, 3)))
    # The bound ignores where even and odd pixels fall in coarser ones.
    assert reach - 8 * num_scales <= touched[-1] <= reach


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


def test_every_weight_has_a_gradient(rng):
    tf = pytest.importorskip("tensorflow")
    model = tf_defocus.create_model("gkmnet", trainable_gaussians=True, num_scales=2)
    image = rng.random((1, 16, 16, 3), dtype="float32")
    with tf.GradientTape() as tape:
        outputs = model({"blurred": image}, training=True)
        loss = sum(ops.mean(ops.square(o)) for o in outputs.values())
    gradients = tape.gradient(loss, model.trainable_variables)
    silent = [
        v.path
        for v, g in zip(model.trainable_variables, gradients)
        if g is None or not np.isfinite(g).all()
    ]
    assert not silent


def test_mixed_precision_keeps_the_images_in_float32(rng):
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = tf_defocus.create_model("gkmnet", num_scales=2)
    finally:
        keras.config.set_dtype_policy(previous)
    model.summation.kernel.assign(np.zeros(model.summation.kernel.shape))
    image = rng.random((1, 8, 8, 3), dtype="float32")
    assert model.attention.compute_dtype == "bfloat16"
    np.testing.assert_array_equal(model({"blurred": image})["deblurred"], image)


def test_model_round_trips(rng, tmp_path):
    model = tf_defocus.create_model("gkmnet", num_scales=1, num_iterations=2)
    image = {"blurred": rng.random((1, 8, 16, 3), dtype="float32")}
    model.save(tmp_path / "gkmnet.keras")
    clone = keras.models.load_model(tmp_path / "gkmnet.keras")
    assert clone.get_config() == model.get_config()
    np.testing.assert_allclose(
        clone(image)["deblurred"], model(image)["deblurred"], atol=1e-6, rtol=2e-6
    )


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("num_scales", 0),
        ("num_scales", 5),
        ("num_iterations", 0),
        ("trainable_gaussians", "yes"),
        ("pyramid", "both"),
        ("variant", "x"),
        ("bank", "wide"),
        ("max_kernel_size", 20),
        ("max_kernel_size", -21),
    ],
)
def test_bad_arguments_are_named(argument, value):
    with pytest.raises(ValueError, match=argument):
        tf_defocus.create_model("gkmnet", **{argument: value})


def test_size_multiple_follows_the_scales():
    assert GKMNet().size_multiple == (16, 16)
    assert GKMNet(num_scales=1).size_multiple == (4, 4)
    assert GKMNet.exact_tiling is False
