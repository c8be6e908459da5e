"""K3DN against the authors' recorded tensors."""

import json

import keras
import numpy as np
import pytest
from keras import ops

import tf_defocus
from tests.testing import assert_agrees, official_weights, reference_file
from tf_defocus.conversion import k3dn as mapping
from tf_defocus.layers.k3dn_stereo import cost_volume
from tf_defocus.ops.windows import cut_windows

RECORDED = ("dual_ft", "dual_model", "single_ft", "single_model")


def recorded_model(vectors, **overrides):
    config = json.loads(str(vectors["meta"]))["config"]
    model = tf_defocus.create_model(
        "k3dn_large" if config["dual"] else "k3dn_single",
        base_filters=config["base_channel"],
        encoder_residual_units=config["ed_res"],
        num_psf_blocks=config["ld_res"],
        srp_residual_units=config["psf_out_layer"],
        truncate=config["truncate"],
        window_size=config["window_size"],
        pool_size=config["disp"]["pool_size"],
        pad_scale=config["disp"]["pad_scale"],
        sharp_region_preservation=config["ft"],
        variant="released",
        **overrides,
    )
    tf_defocus.conversion.load_official(model, official_weights(vectors))
    return model


def recorded_views(vectors):
    names = ("left", "right") if "in/left" in vectors.files else ("image",)
    renamed = {"image": "blurred"}
    return {renamed.get(name, name): vectors[f"in/{name}"] + 0.5 for name in names}


def assert_agrees_with_any_slice(actual, vectors, key):
    """The tensor `key`, of which the file may hold a slice."""
    (stored,) = (
        name for name in vectors.files if name == key or name.startswith(key + "@")
    )
    assert_agrees(actual, vectors, stored)


@pytest.fixture(params=RECORDED, scope="module")
def recorded(request):
    vectors = reference_file(f"k3dn_{request.param}.npz")
    model = recorded_model(vectors)
    return model, vectors, model(recorded_views(vectors))


def windowed_features(model, vectors):
    shifted = [ops.convert_to_tensor(v) - 0.5 for v in recorded_views(vectors).values()]
    stages = model._encode(ops.concatenate(shifted, axis=-1))
    return stages, cut_windows(stages[-1], model.window_size)


def test_output_and_disparity_vectors_agree_with_the_authors(recorded):
    _, vectors, outputs = recorded
    assert_agrees(outputs["deblurred"] - 0.5, vectors, "train/output")
    flat = np.reshape(outputs["disparity_vectors"], (-1, 256))
    assert_agrees(flat, vectors, "disparity_vector")


def test_kernels_of_both_directions_agree_with_the_authors(recorded):
    model, vectors, _ = recorded
    block = model.psf_blocks[0]
    for suffix, reverse in (("fwd", False), ("inv", True)):
        kernels = np.asarray(block.depthwise.kernels(reverse))[None, :, None]
        assert_agrees(kernels, vectors, f"depthwise_weight_{suffix}")
        matrix = np.asarray(block.pointwise.matrix(reverse))[..., None, None]
        assert_agrees(matrix, vectors, f"pointwise_weight_{suffix}")


def test_psf_blocks_agree_with_the_authors_both_ways(recorded):
    model, vectors, _ = recorded
    stages, windows = windowed_features(model, vectors)
    assert_agrees(stages[-1], vectors, "enc3_out")
    assert_agrees(windows, vectors, "psf0_in")
    queries = vectors["disparity_vector"]
    block = model.psf_blocks[0]
    answer = block.answer(queries)
    assert_agrees(answer, vectors, "kernel_query0")
    weights = block.pointwise.channel_weights(answer)
    assert_agrees(weights, vectors, "pointwise_scale")
    filtered = block.depthwise(windows)
    assert_agrees(filtered, vectors, "psf0_depthwise_out")
    mixed = block.pointwise(keras.activations.leaky_relu(filtered), answer)
    assert_agrees(mixed, vectors, "psf0_pointwise_out")
    assert_agrees(block(windows, queries), vectors, "psf0_out_fwd")
    assert_agrees(block(windows, queries, reverse=True), vectors, "psf0_out_rev")
    for block in model.psf_blocks:
        windows = block(windows, queries)
    assert_agrees(windows, vectors, "psfL_out_fwd")


def test_decoder_and_preservation_agree_with_the_authors(recorded):
    model, vectors, _ = recorded
    stages, _ = windowed_features(model, vectors)
    features = model._transform(stages[-1], vectors["disparity_vector"], False)
    enlarged = model.enlargements[0](features)
    joined = ops.concatenate([stages[1], enlarged], axis=-1)
    if model.preservation:
        block = model.preservation[0]
        similarity = block.similarity(stages[1], enlarged)
        assert_agrees_with_any_slice(similarity, vectors, "srp0_att_mean")
        joined = block(stages[1], enlarged)
        assert_agrees_with_any_slice(joined, vectors, "srp0_out_mean")
    decoded = model.decoder[0](joined)
    assert_agrees_with_any_slice(decoded, vectors, "dec0_out")


@pytest.mark.parametrize("name", ["dual_ft", "single_ft"])
def test_preservation_by_sums_agrees_with_the_authors_fallback(name):
    vectors = reference_file(f"k3dn_{name}.npz")
    model = recorded_model(vectors)
    stages, _ = windowed_features(model, vectors)
    features = model._transform(stages[-1], vectors["disparity_vector"], False)
    block = model.preservation[0]
    block.reduction = "sum"
    joined = block(stages[1], model.enlargements[0](features))
    assert_agrees_with_any_slice(joined, vectors, "srp0_out_sum")


def test_reblurring_pass_agrees_with_the_authors(recorded):
    """The recorded pass took the blurred views themselves through every block."""
    model, vectors, outputs = recorded
    shifted = [ops.convert_to_tensor(v) - 0.5 for v in recorded_views(vectors).values()]
    restored = model._restore(shifted, outputs["disparity_vectors"], reverse=True)
    assert_agrees_with_any_slice(restored - 0.5, vectors, "train/output_rev")


def test_inference_form_agrees_with_the_authors_and_with_training(recorded):
    model, vectors, outputs = recorded
    inference = model.to_inference()
    deblurred = inference(recorded_views(vectors))["deblurred"]
    np.testing.assert_allclose(deblurred, outputs["deblurred"], atol=1e-6, rtol=2e-6)
    assert_agrees_with_any_slice(deblurred - 0.5, vectors, "inference/output")
    frozen = inference.psf_blocks[0].depthwise
    half = np.asarray(frozen.half_kernels)[:, None]
    assert_agrees(half, vectors, "inference/weight_left0")
    kernels = np.asarray(frozen.kernels())[None, :, None]
    assert_agrees(kernels, vectors, "inference/depthwise_weight")


@pytest.mark.parametrize("name", ["dual_ft", "dual_model"])
def test_stereo_features_and_matching_agree_with_the_authors(name):
    vectors = reference_file(f"k3dn_{name}.npz")
    estimator = recorded_model(vectors).disparity
    features = []
    for view in ("left", "right"):
        quarter = ops.average_pool(ops.convert_to_tensor(vectors[f"in/{view}"]), 4)
        features.append(estimator.features(quarter))
        assert_agrees(features[-1], vectors, f"feature_{view}")
    matched = estimator.match(cost_volume(*features, 4))
    assert_agrees(matched, vectors, "matching_out")


@pytest.mark.parametrize("name", RECORDED)
def test_batch_statistics_agree_with_the_authors(name):
    vectors = reference_file(f"k3dn_{name}.npz")
    model = recorded_model(vectors)
    flat = model.disparity_vectors(recorded_views(vectors), training=True)
    flat = np.reshape(flat, (-1, 256))
    assert_agrees(flat, vectors, "bn_train/disparity_vector")
    running = {a.name: a.variable for a in mapping.assignments(model)}
    recorded = [key for key in vectors.files if key.startswith("bn_after_train/")]
    assert len(recorded) in (22, 24)
    for key in recorded:
        assert_agrees(running[key.partition("/")[2]], vectors, key)
