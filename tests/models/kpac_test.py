"""KPAC against the authors' recorded tensors, its counts and its ablations."""

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

RECORDED = {
    "kpac_2level.npz": "kpac_2level",
    "kpac_3level.npz": "kpac_3level",
    "kpac_dual.npz": "kpac_3level_dual",
}


def unit(image):
    """[-1, 1], where the authors' network lives, to [0, 1]."""
    return (image + 1) / 2


def recorded_views(vectors):
    if "in/image" in vectors.files:
        return {"blurred": unit(vectors["in/image"])}
    return {
        "blurred": unit(vectors["in/center"]),
        "left": unit(vectors["in/left"]),
        "right": unit(vectors["in/right"]),
    }


@pytest.fixture(params=sorted(RECORDED), scope="module")
def recorded(request):
    vectors = reference_file(request.param)
    model = tf_defocus.create_model(RECORDED[request.param], variant="released")
    tf_defocus.conversion.load_official(model, official_weights(vectors))
    return model, vectors


def test_output_and_attention_agree_with_the_authors(recorded):
    model, vectors = recorded
    outputs = model(recorded_views(vectors))
    assert_agrees(2 * outputs["deblurred"] - 1, vectors, "output")
    for block in (0, 1):
        alpha = outputs["scale_attention"][:, block]
        assert_agrees(alpha, vectors, f"block{block}/scale_attention")
        beta = outputs["shape_attention"][:, block, None, None]
        assert_agrees(beta, vectors, f"block{block}/shape_attention")


def test_encoder_stages_agree_with_the_authors(recorded):
    model, vectors = recorded
    stages = model._encoder_stages(recorded_views(vectors))
    for name, stage in zip(("c2_2", "c3_2", "c4_2"), stages[1:]):
        assert_agrees(stage, vectors, f"stage/{name}")


def test_block_tensors_agree_with_the_authors(recorded):
    model, vectors = recorded
    features = model.encode(recorded_views(vectors))
    for index, block in enumerate(model.blocks):
        pooled = ops.mean(features, axis=(1, 2), keepdims=True)
        assert_agrees(pooled, vectors, f"block{index}/shape_pool")
        for rate, branch in enumerate(block.atrous(features), start=1):
            assert_agrees(branch, vectors, f"block{index}/dilated_r{rate}")
        features, _, _ = block(features)
        assert_agrees(features, vectors, f"block{index}/block_out")


def test_decoder_stages_agree_with_the_authors(recorded):
    model, vectors = recorded
    views = recorded_views(vectors)
    stages = model._encoder_stages(views)
    features = model.transform(stages[-1])
    assert_agrees(features, vectors, "stage/cm_2")
    names = ("d0", "d1", "d2")[3 - model.levels :]
    layers = zip(names, model.upsampling, [*model.merging, model.residual])
    for (name, upsample, merge), skip in zip(layers, stages[-2::-1]):
        raised = upsample(features)
        assert_agrees(raised, vectors, f"stage/{name}")
        features = merge(ops.concatenate([raised, skip], axis=-1))
    assert_agrees(features, vectors, "stage/d2_2")


COUNTS = [
    ("kpac_2level", {}, 1_578_277),
    ("kpac_3level", {}, 2_057_893),
    ("kpac_3level_dual", {}, 2_061_493),
    ("kpac_2level", {"variant": "paper"}, 1_579_437),
    ("kpac_3level", {"variant": "paper"}, 2_059_053),
    ("kpac_3level_dual", {"variant": "paper"}, 2_062_653),
    ("kpac_2level", {"share_kernels": False}, 2_499_877),  # Table 1
    ("kpac_2level", {"num_blocks": 1}, 1_047_188),  # Table 3
    ("kpac_2level", {"num_blocks": 3}, 2_109_366),
    ("kpac_2level", {"num_blocks": 4}, 2_640_455),
    # Table 2
    ("kpac_2level", {"scale_attention": False, "shape_attention": False}, 1_327_299),
    ("kpac_2level", {"scale_attention": False}, 1_330_875),
    ("kpac_2level", {"shape_attention": False}, 1_574_701),
    ("kpac_2level", {"num_residual_blocks": 10}, 2_259_843),
]


@pytest.mark.parametrize(("name", "overrides", "count"), COUNTS)
def test_parameter_count_equals_the_papers(name, overrides, count):
    model = tf_defocus.create_model(name, **({"variant": "released"} | overrides))
    assert model.count_params() == count


def small(name="kpac_3level", **overrides):
    return tf_defocus.create_model(name, base_filters=6, **overrides)


def enlarge(model, rng):
    """Weights so large that a wrong halo or an ignored attention shows."""
    for weight in model.weights:
        weight.assign(rng.normal(0, 0.15, weight.shape))


def test_golden_output_is_unchanged():
    with np.load(golden_file("kpac.npz"), allow_pickle=False) as golden:
        model = tf_defocus.create_model("kpac_3level", base_filters=3)
        names = tf_defocus.weights.variable_names(model)
        for name, weight in zip(names, model.weights):
            weight.assign(golden[f"w/{name}"].astype("float32"))
        deblurred = model({"blurred": golden["blurred"]})["deblurred"]
        np.testing.assert_allclose(deblurred, golden["deblurred"], atol=2e-6, rtol=2e-6)


def test_staged_call_on_tiles_equals_the_whole(rng):
    """What the Restorer relies on: the halo suffices, the pooling is global."""
    model = small()
    enlarge(model, rng)
    image = rng.random((1, 64, 160, 3), dtype=np.float32)
    whole = model({"blurred": image})["deblurred"]
    halo, stride = model.halo, model.feature_stride
    left = model.encode({"blurred": image[:, :, : 80 + halo]})
    right = model.encode({"blurred": image[:, :, 80 - halo :]})
    margin = halo // stride
    features = ops.concatenate(
        [left[:, :, : 80 // stride], right[:, :, margin:]], axis=2
    )
    np.testing.assert_allclose(
        features, model.encode({"blurred": image}), atol=1e-5, rtol=2e-6
    )
    features = model.transform(features)
    cut = 80 + halo
    tile = model.decode({"blurred": image[:, :, :cut]}, features[:, :, : cut // stride])
    np.testing.assert_allclose(
        tile["deblurred"][:, :, :80], whole[:, :, :80], atol=1e-4, rtol=2e-6
    )


def test_scale_weights_change_the_output_as_the_attention_would(rng):
    model = small()
    enlarge(model, rng)
    views = {"blurred": rng.random((1, 16, 24, 3), dtype=np.float32)}
    outputs = model(views)
    alphas = ops.unstack(outputs["scale_attention"], axis=1)
    same = model(views, scale_weights=alphas)["deblurred"]
    np.testing.assert_allclose(same, outputs["deblurred"], atol=1e-5, rtol=2e-6)
    off = model(views, scale_weights=[0 * a for a in alphas])["deblurred"]
    assert float(ops.max(ops.abs(off - same))) > 1e-2


def test_zero_residual_returns_the_centre_view_exactly(rng):
    model = small("kpac_3level_dual")
    model.residual.set_weights([np.zeros((5, 5, 12, 3)), np.zeros(3)])
    views = {
        name: rng.random((2, 8, 16, 3), dtype=np.float32) for name in model.view_names
    }
    np.testing.assert_array_equal(model(views)["deblurred"], views["blurred"])


def test_residual_blocks_take_the_place_of_kpac_blocks(rng):
    """Table 2's baseline: one chain, fused with the encoder's features."""
    model = small("kpac_2level", num_residual_blocks=2)
    enlarge(model, rng)
    views = {"blurred": rng.random((1, 16, 24, 3), dtype=np.float32)}
    encoded = model.encode(views)
    features = encoded
    for block in model.residual_blocks:
        features = block(features)
    features = ops.concatenate([encoded, features], axis=-1)
    for layer in model.fusion:
        features = layer(features)
    outputs = model(views)
    assert set(outputs) == {"deblurred"}
    np.testing.assert_allclose(
        outputs["deblurred"],
        model.decode(views, features)["deblurred"],
        atol=1e-6,
        rtol=2e-6,
    )
    rebuilt = type(model).from_config(model.get_config())
    rebuilt.build()
    assert rebuilt.count_params() == model.count_params()


def test_mixed_precision_keeps_the_photograph_in_float32(rng):
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = small()
    finally:
        keras.config.set_dtype_policy(previous)
    model.residual.set_weights([np.zeros((5, 5, 12, 3)), np.zeros(3)])
    image = rng.random((1, 8, 8, 3), dtype=np.float32)
    np.testing.assert_array_equal(model({"blurred": image})["deblurred"], image)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("levels", 4),
        ("views", 3),
        ("num_blocks", 0),
        ("kernel_size", 4),
        ("num_residual_blocks", -1),
        ("variant", "x"),
    ],
)
def test_bad_arguments_are_named(argument, value):
    with pytest.raises(ValueError, match=argument):
        tf_defocus.create_model("kpac_3level", **{argument: value})


def test_unknown_names_and_arguments_are_refused():
    with pytest.raises(ValueError, match="kpac_3level"):
        tf_defocus.create_model("kpac")
    with pytest.raises(ValueError, match="depth"):
        tf_defocus.create_model("kpac_3level", depth=3)
