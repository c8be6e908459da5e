"""IFAN against the authors' recorded tensors, its counts, ablations and streaming."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

import tf_defocus
from tests.testing import (
    assert_agrees,
    golden_file,
    needs_kernel,
    official_weights,
    reference_file,
)
from tf_defocus.conversion.ifan import official_filter_order
from tf_defocus.models.ifan import IFAN
from tf_defocus.models.ifan_reblurring import ReblurringNetwork
from tf_defocus.ops.adaptive_convolution import native_kernel
from tf_defocus.ops.warping import horizontal_warp

RECORDED = {
    "ifan_n2.npz": ("ifan", 2, 1),
    "ifan_n3.npz": ("ifan", 3, 2),
    "ifan_dual_n2.npz": ("ifan_dual", 2, 1),
}
BASE_FILTERS = 8
READINGS = {"released": "released", "paper": "fixed"}  # our word -> the recorded one


def filled(cls_or_name, vectors, **arguments):
    if isinstance(cls_or_name, str):
        model = tf_defocus.create_model(cls_or_name, **arguments)
    else:
        model = cls_or_name(**arguments)
        model.build()
    tf_defocus.conversion.load_official(model, official_weights(vectors))
    return model


@pytest.fixture(
    params=[(file, variant) for file in sorted(RECORDED) for variant in READINGS],
    ids=lambda p: "-".join(p),
    scope="module",
)
def recorded(request):
    file, variant = request.param
    vectors = reference_file(file)
    name, iterations, units = RECORDED[file]
    arguments = {
        "base_filters": BASE_FILTERS,
        "num_iterations": iterations,
        "num_residual_units": units,
        "variant": variant,
    }
    return filled(name, vectors, **arguments), vectors, READINGS[variant]


def recorded_views(vectors):
    return {
        "blurred": vectors["in/C"],
        "left": vectors["in/L"],
        "right": vectors["in/R"],
    }


def key_of(vectors, reading, name):
    """What does not depend on the reading is recorded as released only."""
    key = f"{reading}/{name}"
    return key if key in vectors.files else f"released/{name}"


def test_outputs_agree_with_the_authors(recorded):
    model, vectors, reading = recorded
    outputs = model(recorded_views(vectors))
    assert list(outputs) == ["deblurred", "disparity"]
    assert_agrees(outputs["deblurred"], vectors, f"{reading}/train/result")
    clipped = ops.clip(outputs["deblurred"], 0, 1)
    assert_agrees(clipped, vectors, f"{reading}/eval/result")
    assert_agrees(outputs["disparity"], vectors, "released/eval/disparity")


def test_intermediates_agree_with_the_authors(recorded):
    model, vectors, reading = recorded
    views = recorded_views(vectors)
    stages = model.feature_encoder(views["blurred"])
    encoded = model._encode_for_filters(views)
    assert_agrees(stages[-1], vectors, "released/eval/f_C")
    assert_agrees(encoded, vectors, "released/eval/f_kenc")
    disparity = model.disparity_features(model.disparity_estimator(encoded))
    assert_agrees(disparity, vectors, "released/eval/f_DM")
    context = model.context(ops.concatenate([encoded, disparity], axis=-1))
    filtered = model.adaptive_convolution(stages[-1], model.filter_trunk(context))
    assert_agrees(filtered, vectors, f"{reading}/eval/iac_out")
    features = model.reconstruction(filtered)
    assert_agrees(features, vectors, f"{reading}/eval/conv_res_out")
    upsample, *refine = model.upsampling[0]
    features = upsample(features) + stages[-2]
    for group in refine:
        features = group(features)
    assert_agrees(features, vectors, f"{reading}/eval/upconv3_out")


def test_training_filters_agree_with_the_authors(recorded):
    model, vectors, _ = recorded
    filters = model(recorded_views(vectors), training=True)["filters"]
    order = official_filter_order(model.num_iterations, 3, 4 * BASE_FILTERS)
    official = np.asarray(filters)[..., np.argsort(order)]
    assert_agrees(official, vectors, "released/eval/F")


def test_disparity_loss_terms_agree_with_the_authors(recorded):
    model, vectors, _ = recorded
    views = recorded_views(vectors)
    if model.views == 1:
        views = {"blurred": views["right"]}
    disparity = model.estimate_disparity(views)
    assert_agrees(disparity, vectors, "released/train/disparity_warp")
    right, left = (ops.average_pool(vectors[f"in/{v}"], 8, 8) for v in "RL")
    assert_agrees(horizontal_warp(right, disparity), vectors, "released/train/f_R_w")
    assert_agrees(left, vectors, "released/train/f_L")


def test_reblurred_image_agrees_with_the_authors(recorded):
    model, vectors, reading = recorded
    filters = model(recorded_views(vectors), training=True)["filters"]
    reblurring = filled(
        ReblurringNetwork,
        vectors,
        base_filters=BASE_FILTERS,
        num_iterations=model.num_iterations,
        num_residual_units=model.num_residual_units,
        filter_channels=filters.shape[-1],
        variant=model.variant,
    )
    sharp = vectors["in/GT"][:, ::8, ::8]
    assert_agrees(sharp, vectors, "released/train/S_nearest8")
    reblurred = reblurring({"filters": filters, "sharp": sharp})["reblurred"]
    assert_agrees(reblurred, vectors, f"{reading}/train/SB")
    _, blurring = reblurring.adaptive_convolution(
        ops.convert_to_tensor(sharp), reblurring.trunk(filters), return_filters=True
    )
    order = official_filter_order(model.num_iterations, 3, 3)
    official = np.asarray(blurring)[..., np.argsort(order)]
    assert_agrees(official, vectors, "released/train/rbn_filter")


COUNTS = [
    ("ifan", {"num_iterations": 8}, 9_436_740),  # Table 4
    ("ifan", {}, 10_476_996),
    ("ifan", {"num_iterations": 26}, 11_517_252),
    ("ifan", {"num_iterations": 35}, 12_557_508),
    ("ifan", {"num_iterations": 44}, 13_597_764),
    ("ifan_dual", {}, 10_477_860),
    ("ifan", {"adaptive_filters": "fac", "filter_size": 11}, 10_510_020),  # Table 5
    ("ifan", {"use_disparity": False}, 10_476_868),  # Table 1 from here on
    ("ifan", {"adaptive_filters": None, "use_disparity": False}, 10_594_500),
    ("ifan", {"adaptive_filters": None}, 10_594_628),
]
# Millions as printed, for the counts above.
PRINTED = (9.44, 10.48, 11.52, 12.56, 13.60, 10.48, 10.51, 10.48, 10.59, 10.58)


@pytest.mark.parametrize(("name", "overrides", "count"), COUNTS)
def test_parameter_count_equals_the_papers(name, overrides, count):
    assert tf_defocus.create_model(name, **overrides).count_params() == count


def test_counts_are_the_printed_millions():
    """The baseline with disparity, of which the paper says "similar", by 0.14 %."""
    for (_, overrides, count), printed in zip(COUNTS, PRINTED):
        second_row = overrides == {"adaptive_filters": None}
        assert abs(count / 1e6 - printed) < (0.015 if second_row else 0.005)


def small(**overrides):
    arguments = {"base_filters": 4, "num_iterations": 3, "num_residual_units": 1}
    return tf_defocus.create_model("ifan", **(arguments | overrides))


ABLATIONS = [
    {},
    {"use_disparity": False},
    {"adaptive_filters": "fac", "filter_size": 5},
    {"adaptive_filters": None},
    {"adaptive_filters": None, "use_disparity": False},
    {"views": 2},
    {"kernel_size": 5, "filter_size": 5},
]


def enlarge(model, rng):
    """Biases so large that the filtered features do not vanish beside the others."""
    for weight in model.trainable_variables:
        if weight.path.endswith("bias"):
            weight.assign(rng.normal(0, 0.4, weight.shape))


def images(rng, model, height=32, width=40):
    shape = (1, height, width, 3)
    return {name: rng.random(shape, dtype=np.float32) for name in model.view_names}


@pytest.fixture(params=ABLATIONS, ids=str, scope="module")
def configured(request):
    model = small(**request.param)
    enlarge(model, np.random.default_rng(5))
    return model


def test_configuration_round_trips_and_every_weight_learns(rng, configured):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("the gradient is taken with TensorFlow's tape")
    import tensorflow as tf

    model, views = configured, images(rng, configured)
    with tf.GradientTape() as tape:
        outputs = model(views)
        loss = tf.reduce_sum(outputs["deblurred"] ** 2)
    assert ("disparity" in outputs) == model.use_disparity
    gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
    for weight, gradient in zip(model.trainable_variables, gradients):
        assert gradient is not None and np.any(gradient != 0), weight.path
    clone = IFAN.from_config(model.get_config())
    clone.build()
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone(views)["deblurred"], outputs["deblurred"])


def test_identity_start_changes_nothing_and_filters_with_something_left(rng):
    keras.utils.set_random_seed(0)
    passed = {}
    for start in ("random", "identity"):
        model = small(base_filters=16, num_iterations=17, start=start)
        views = images(rng, model)
        encoded = np.asarray(model.feature_encoder(views["blurred"])[-1])
        context = model.filter_trunk(encoded)
        of_features, of_nothing = (
            np.asarray(model.adaptive_convolution(features, context))
            for features in (encoded, 0 * encoded)
        )
        passed[start] = np.std(of_features - of_nothing) / np.std(encoded)
    outputs = model(views)
    np.testing.assert_array_equal(outputs["deblurred"], views["blurred"])
    np.testing.assert_array_equal(outputs["disparity"], 0 * outputs["disparity"])
    assert passed["random"] < 1e-6  # what training has to start from otherwise
    assert 0.5 < passed["identity"] <= 1


def test_compiled_call_equals_the_eager_one(rng, configured):
    # Graph optimizers fuse convolutions with what follows them, not always rightly.
    views = images(rng, configured)
    configured.jit_compile = keras.backend.backend() == "jax"
    compiled = configured.predict_on_batch(views)["deblurred"]
    eager = np.asarray(configured(views)["deblurred"])
    np.testing.assert_allclose(compiled, eager, atol=1e-5 * max(1, np.abs(eager).max()))


def test_nothing_beyond_the_receptive_field_matters(rng, configured):
    model = configured
    reach = model.receptive_field // 2
    height, width = 16, -(-(2 * reach + 24) // 8) * 8
    views = images(rng, model, height, width)
    changed = {k: v.copy() for k, v in views.items()}
    for view in changed.values():
        view[:, :, :8] = 0
    difference = np.abs(
        np.asarray(model(views)["deblurred"]) - model(changed)["deblurred"]
    ).max(axis=(0, 1, 3))
    assert np.max(difference[8 + reach :]) == 0
    assert np.max(difference[: 8 + reach // 2]) > 0


def test_staged_call_on_tiles_equals_the_whole(rng):
    model = small()
    enlarge(model, rng)
    views = images(rng, model, 16, 240)
    whole = model(views)["deblurred"]
    halo, middle = model.halo, 120
    left, right = (
        {"blurred": views["blurred"][:, :, part]}
        for part in (slice(0, middle + halo), slice(middle - halo, None))
    )
    cut, margin = middle // 8, halo // 8
    features = ops.concatenate(
        [model.encode(left)[:, :, :cut], model.encode(right)[:, :, margin:]], axis=2
    )
    features = model.transform(features)
    tiles = (
        model.decode(left, features[:, :, : cut + margin])["deblurred"][:, :, :middle],
        model.decode(right, features[:, :, cut - margin :])["deblurred"][:, :, halo:],
    )
    np.testing.assert_allclose(
        ops.concatenate(tiles, axis=2), whole, atol=1e-5, rtol=2e-6
    )


@needs_kernel
def test_native_kernel_changes_nothing(rng):
    model = small(num_iterations=17)
    enlarge(model, rng)
    views = images(rng, model)
    outputs = []
    for choice in (True, False):
        with native_kernel(choice):
            outputs.append(np.asarray(model(views)["deblurred"]))
    np.testing.assert_allclose(*outputs, atol=1e-5, rtol=2e-6)


@needs_kernel
def test_graph_predicts_filters_one_iteration_after_the_other():
    import tensorflow as tf

    layer = small().adaptive_convolution
    spec = tf.TensorSpec((1, None, None, 16))
    with native_kernel(True):
        graph = tf.function(layer.call).get_concrete_function(spec, spec).graph
    steps = [o for o in graph.get_operations() if o.type == "TfDefocusAdaptiveStep"]
    assert len(steps) == 3
    for before, after in itertools.pairwise(steps):
        waiting = [o for o in graph.get_operations() if before in o.control_inputs]
        assert waiting, "the filters of the next step must wait for this one"
        assert ancestors(after.inputs[1].op) & set(waiting)


def ancestors(operation):
    found, queue = set(), [operation]
    while queue:
        operation = queue.pop()
        if operation not in found:
            found.add(operation)
            queue.extend(tensor.op for tensor in operation.inputs)
    return found


def test_mixed_precision_keeps_the_photograph_exact(rng):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = small()
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.residual.compute_dtype == "bfloat16"
    model.residual.kernel.assign(ops.zeros_like(model.residual.kernel))
    views = images(rng, model)
    np.testing.assert_array_equal(model(views)["deblurred"], views["blurred"])


def test_golden_output_is_unchanged():
    with np.load(golden_file("ifan.npz"), allow_pickle=False) as golden:
        model = small(base_filters=2)
        names = tf_defocus.weights.variable_names(model)
        for name, weight in zip(names, model.weights):
            weight.assign(golden[f"w/{name}"].astype("float32"))
        outputs = model({"blurred": golden["blurred"]})
        for key in ("deblurred", "disparity"):
            np.testing.assert_allclose(outputs[key], golden[key], atol=1e-5, rtol=2e-6)


@pytest.mark.parametrize(
    "argument",
    [
        {"views": 3},
        {"filter_size": 4},
        {"kernel_size": 2},
        {"num_iterations": 0},
        {"variant": "fixed"},
        {"adaptive_filters": "dense"},
        {"start": "zeros"},
        {"start": "identity", "variant": "released"},
    ],
    ids=str,
)
def test_unknown_argument_is_refused(argument):
    with pytest.raises(ValueError, match=next(iter(argument))):
        tf_defocus.create_model("ifan", **argument)
