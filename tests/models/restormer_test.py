"""Restormer against the authors' recorded tensors, its counts, strips and reach."""

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
from tf_defocus.layers.restormer_attention import ChannelAttention
from tf_defocus.ops import strips
from tf_defocus.restoration.restorer import Restorer

RECORDED = {
    "restormer_single.npz": {"num_blocks": (1, 2, 1, 2), "num_refinement_blocks": 1},
    "restormer_dual.npz": {"num_blocks": (2, 1, 1, 1), "num_refinement_blocks": 2},
    "restormer_biasfree.npz": {
        "num_blocks": (1, 1, 1, 1),
        "num_refinement_blocks": 1,
        "num_heads": (2, 2, 4, 4),
        "expansion_factor": 2.0,
        "use_bias": True,
        "center_normalization": False,
    },
}
SMALL = {"base_filters": 8, "num_blocks": (1, 1, 1, 1), "num_refinement_blocks": 1}
NAMES = ("restormer", "restormer_dual")


@pytest.fixture(params=sorted(RECORDED), scope="module")
def recorded(request):
    vectors = reference_file(request.param)
    name = "restormer_dual" if "dual" in request.param else "restormer"
    arguments = {"base_filters": 8, **RECORDED[request.param], "variant": "released"}
    model = tf_defocus.create_model(name, **arguments)
    tf_defocus.conversion.load_official(model, official_weights(vectors))
    return model, vectors


def recorded_views(vectors):
    if "in/image" in vectors.files:
        return {"blurred": vectors["in/image"]}
    return {"left": vectors["in/left"], "right": vectors["in/right"]}


def views_of(model, rng, *shape):
    return {name: rng.random((*shape, 3), "float32") for name in model.view_names}


def branches_of(model, stages):
    """What the first blocks add, by their recorded names."""
    first = model.encoder[0][0]
    inputs = stages["patch_embed"]
    attention = first.attention(first.norm1(inputs))
    middle = inputs + attention
    found = {
        "enc1_0_norm1": first.norm1(inputs),
        "enc1_0_attn": attention,
        "enc1_0_ffn": first.feed_forward(first.norm2(middle)),
        "enc1_0": first(inputs),
    }
    for name, block, before in (
        ("enc2_0_attn", model.encoder[1][0], "down1_2"),
        ("latent_0_attn", model.encoder[3][0], "latent_in"),
    ):
        if before == "latent_in":
            inputs = model.halvings[2](stages["enc3"])
        else:
            inputs = stages[before]
        found[name] = block.attention(block.norm1(inputs))
    return found


def test_every_recorded_tensor_agrees_with_the_authors(recorded):
    model, vectors = recorded
    stages = model.stages(recorded_views(vectors))
    found = {**stages, **branches_of(model, stages)}
    keys = [key for key in vectors.files if key.startswith("mid/")]
    assert len(keys) >= 20
    for key in keys:
        assert_agrees(
            ops.convert_to_numpy(found[key.removeprefix("mid/")]), vectors, key
        )
    small = model.encoder[0][0].norm1(vectors["in/norm_small"])
    assert_agrees(ops.convert_to_numpy(small), vectors, "op/norm_small_out")


@pytest.mark.parametrize("training", [False, True])
def test_output_agrees_with_the_authors(recorded, training):
    """Strip by strip at inference, whole while training."""
    model, vectors = recorded
    outputs = model(recorded_views(vectors), training=training)
    assert list(outputs) == ["deblurred"]
    assert_agrees(ops.convert_to_numpy(outputs["deblurred"]), vectors, "output")


@pytest.mark.parametrize(
    ("name", "overrides", "count"),
    [
        ("restormer", {}, 26_126_644),
        ("restormer_dual", {}, 26_132_548),
        ("restormer", {"center_normalization": False}, 26_111_668),
    ],
)
def test_parameter_count_equals_the_authors(name, overrides, count):
    assert tf_defocus.create_model(name, **overrides).count_params() == count


@pytest.mark.parametrize("name", NAMES)
def test_golden_output_is_unchanged(name):
    # Where the recorded vectors are absent; written when they agreed.
    model = tf_defocus.create_model(name, **SMALL)
    fill_with_waves(model)
    views = views_of(model, np.random.default_rng(2022), 1, 40, 16)
    with np.load(golden_file("restormer.npz"), allow_pickle=False) as golden:
        assert golden[name].std() > 0.1
        actual = model(views)["deblurred"]
        np.testing.assert_allclose(actual, golden[name], atol=1e-4, rtol=2e-6)


@pytest.mark.parametrize("height", [8, 40, 72])
def test_strips_are_exact_at_every_size(rng, height, monkeypatch):
    """Rows are cut at 8, 32 and 64: the last strip is whole, or a part."""
    model = tf_defocus.create_model("restormer", **SMALL, use_bias=True)
    fill_with_waves(model)
    views = views_of(model, rng, 2, height, 24)
    actual = model(views)["deblurred"]
    monkeypatch.setattr(strips, "STRIP_ROWS", height)
    whole = model(views)["deblurred"]
    assert np.std(whole - views["blurred"]) > 0.1
    np.testing.assert_allclose(actual, whole, atol=1e-5, rtol=2e-6)


def test_one_view_is_added_to_the_output_and_two_are_not(rng):
    for name in NAMES:
        model = tf_defocus.create_model(name, **SMALL)
        kernel = model.output_convolution.kernel
        kernel.assign(np.zeros(kernel.shape))
        views = views_of(model, rng, 1, 8, 16)
        expected = views.get("blurred", np.zeros((1, 8, 16, 3)))
        np.testing.assert_array_equal(model(views)["deblurred"], expected)


def test_receptive_field_bounds_the_convolutions(rng, monkeypatch):
    """A NaN reaches whatever depends on it; the attention is shut off."""
    monkeypatch.setattr(
        ChannelAttention,
        "mixing_matrix",
        lambda self, sums: ops.eye(sums["lengths"].shape[2] * self.width)[None],
    )
    monkeypatch.setattr(
        ChannelAttention,
        "width",
        property(lambda self: self.output_convolution.filters // self.num_heads),
        raising=False,
    )
    arguments = {**SMALL, "base_filters": 2, "num_heads": (1, 1, 1, 1)}
    model = tf_defocus.create_model("restormer", **arguments)
    reach = model.receptive_field // 2
    image = rng.random((1, 8, (reach // 8 + 2) * 8, 3), dtype="float32")
    image[:, :, 0] = np.nan
    deblurred = np.asarray(model({"blurred": image})["deblurred"])
    touched = np.flatnonzero(np.isnan(deblurred).any(axis=(0, 1, 3)))
    assert reach - 16 <= touched[-1] <= reach
    assert model.exact_tiling is False


def test_any_size_works_in_a_graph_of_dynamic_size(rng):
    tf = pytest.importorskip("tensorflow")
    model = tf_defocus.create_model("restormer", **SMALL)

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3))])
    def deblur(blurred):
        return model({"blurred": blurred})

    for size in ((16, 32), (48, 8)):
        image = rng.random((2, *size, 3), dtype="float32")
        expected = model({"blurred": image})["deblurred"]
        np.testing.assert_allclose(
            deblur(image)["deblurred"], expected, atol=1e-5, rtol=2e-6
        )


def test_an_exported_graph_loads_and_gives_the_restorers_numbers(rng, tmp_path):
    """Of two views; `tests/padded_networks_test.py` has the graph of one."""
    tf = pytest.importorskip("tensorflow", reason="exports need TensorFlow")
    from tf_defocus.export import saved_model

    model = tf_defocus.create_model("restormer_dual", **SMALL)
    fill_with_waves(model)
    saved_model.export_saved_model(model, tmp_path / "served", "restormer_dual")
    served = tf.saved_model.load(tmp_path / "served").signatures["serving_default"]
    views = views_of(model, rng, 45, 37)
    batch = {name: tf.constant(view[None]) for name, view in views.items()}
    restored = Restorer(model).restore(**views)
    assert restored.shape == (45, 37, 3) and restored.std() > 0.05
    np.testing.assert_allclose(
        served(**batch)["deblurred"][0], restored, atol=1e-4, rtol=2e-6
    )


def test_attention_is_float32_under_mixed_precision(rng):
    """Sums over pixels in bfloat16 would stall: 256 + 1 = 256."""
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        layer = ChannelAttention(2)
        layer.build((1, 8, 8, 4))
    finally:
        keras.config.set_dtype_policy(previous)
    values, sums = layer.project(ops.ones((1, 64, 64, 4)))
    assert keras.backend.standardize_dtype(values.dtype) == "bfloat16"
    for part in (*sums.values(), layer.mixing_matrix(sums)):
        assert keras.backend.standardize_dtype(part.dtype) == "float32"


def test_model_round_trips(rng, tmp_path):
    model = tf_defocus.create_model("restormer_dual", **SMALL, use_bias=True)
    views = views_of(model, rng, 1, 8, 16)
    model.save(tmp_path / "restormer.keras")
    clone = keras.models.load_model(tmp_path / "restormer.keras")
    assert clone.get_config() == model.get_config()
    np.testing.assert_array_equal(clone(views)["deblurred"], model(views)["deblurred"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_filters": 7},
        {"num_blocks": (1, 1, 1)},
        {"num_blocks": (1, 1, 1, -1)},
        {"num_heads": (1, 2, 4, 5)},
        {"num_heads": (1, 2, 4)},
        {"num_refinement_blocks": -1},
        {"expansion_factor": 0.0},
        {"views": 3},
        {"variant": "code"},
    ],
    ids=str,
)
def test_bad_arguments_are_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        tf_defocus.create_model("restormer", **wrong)
