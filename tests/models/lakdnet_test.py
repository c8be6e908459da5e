"""LaKDNet against the authors' recorded tensors, its counts and its views."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.testing import (
    assert_agrees,
    fill_with_waves,
    golden_file,
    official_weights,
    reference_file,
)
from tf_defocus import conversion, create_model

SMALL = {"base_filters": 4, "num_blocks": (1, 1, 1, 1), "kernel_size": 5}
BLOCKS = {"single": (1, 2, 1, 2), "dual": (2, 1, 1, 1)}


def recorded_views(vectors, kind):
    if kind == "single":
        return {"blurred": vectors["in/image"]}
    names = {"blurred": "C", "left": "L", "right": "R"}
    return {name: vectors[f"in/{key}"] for name, key in names.items()}


def first_block(block, features):
    """The named tensors within a block."""
    normalized = block.norm1(features)
    mixer = block.mixer(normalized)
    mixed = block.norm2(features + mixer)
    return {
        "norm1": normalized,
        "mixer": mixer,
        "ffn": block.feed_forward(mixed),
    }


@pytest.mark.parametrize("kind", ["single", "dual"])
def test_every_recorded_tensor_agrees_with_the_authors(kind):
    vectors = reference_file(f"lakdnet_{kind}.npz")
    name = "lakdnet_small" if kind == "single" else "lakdnet_small_dual"
    model = create_model(
        name, variant="released", base_filters=8, num_blocks=BLOCKS[kind]
    )
    conversion.load_official(model, official_weights(vectors))
    views = recorded_views(vectors, kind)
    stages = model.stages(views)
    block = model.encoder[0][0]
    found = {
        f"enc1_0_{part}": value
        for part, value in first_block(block, stages["embed"]).items()
    }
    found |= {"enc1_0": block(stages["embed"]), **stages}
    recorded = [key for key in vectors.files if key.startswith("mid/")]
    assert len(recorded) == 16
    for key in recorded:
        assert_agrees(found[key.removeprefix("mid/")], vectors, key)
    assert_agrees(block.norm1(vectors["in/norm_small"]), vectors, "op/norm_small_out")
    for training in (False, True):
        assert_agrees(model(views, training=training)["deblurred"], vectors, "output")


COUNTS = {
    "lakdnet_small": 17_727_632,
    "lakdnet_small_dual": 17_729_360,
    "lakdnet_large": 38_412_576,
    "lakdnet_large_dual": 38_415_168,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", COUNTS)
def test_parameter_count_equals_the_papers(name):
    assert create_model(name).count_params() == COUNTS[name]


@pytest.mark.parametrize("name", COUNTS)
def test_parameter_count_equals_the_sum_over_blocks(name):
    """Of blocks whose channels are counted, and not built."""
    base = 32 if "small" in name else 48
    colours = 9 if "dual" in name else 3

    def block(width):
        hidden = int(width * 2.3)
        mixer = 2 * (81 * width + width * width + width)
        return 4 * width + mixer + 2 * hidden * (width + 9) + hidden * width

    widths = [base, 2 * base, 4 * base, 8 * base]
    total = 9 * colours * base + 9 * 2 * base * 3
    total += sum(n * block(w) for n, w in zip((8, 12, 12, 16), widths))
    total += sum(n * block(w) for n, w in zip((8, 12, 12), (2 * base, *widths[1:3])))
    total += sum(9 * w * w // 2 for w in widths[:3])  # halvings
    total += sum(9 * w * 2 * w for w in widths[1:])  # doublings
    total += sum(2 * w * w for w in widths[1:3])  # reductions
    assert total == COUNTS[name]


@pytest.fixture(scope="module", params=["lakdnet_small", "lakdnet_small_dual"])
def model(request):
    network = create_model(request.param, **SMALL)
    fill_with_waves(network)
    return network


def golden_views():
    random = np.random.default_rng(2024)
    names = ("blurred", "left", "right")
    return {k: random.random((1, 16, 40, 3)).astype("float32") for k in names}


def views_of(model):
    return {k: v for k, v in golden_views().items() if k in model.view_names}


def test_golden_output_is_unchanged(model):
    with np.load(golden_file("lakdnet.npz"), allow_pickle=False) as golden:
        expected = golden[model.name]
    assert expected.std() > 0.1
    actual = model(views_of(model))["deblurred"]
    np.testing.assert_allclose(actual, expected, atol=1e-5, rtol=2e-6)


def test_output_is_clipped_and_starts_from_the_photograph(model):
    views = views_of(model)
    stages = model.stages(views)
    residual = ops.convert_to_numpy(stages["output_conv"])
    expected = np.clip(views["blurred"] + residual, 0, 1)
    np.testing.assert_allclose(stages["output"], expected, atol=1e-6, rtol=2e-6)


def test_receptive_field_bounds_what_reaches_a_pixel(rng):
    """A NaN reaches whatever depends on it."""
    model = create_model("lakdnet_small", **SMALL)
    reach = model.receptive_field // 2
    image = rng.random((1, 8, (reach // 8 + 2) * 8, 3), dtype="float32")
    image[:, :, 0] = np.nan
    residual = ops.convert_to_numpy(model.stages({"blurred": image})["output_conv"])
    touched = np.flatnonzero(np.isnan(residual).any(axis=(0, 1, 3)))
    assert reach - 16 <= touched[-1] <= reach


def test_any_size_works_in_a_graph_of_dynamic_size(rng):
    tf = pytest.importorskip("tensorflow")
    model = create_model("lakdnet_small", **SMALL)

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3))])
    def deblur(blurred):
        return model({"blurred": blurred})

    for size in ((8, 32), (40, 16)):
        image = rng.random((2, *size, 3), dtype="float32")
        np.testing.assert_allclose(
            deblur(image)["deblurred"],
            model({"blurred": image})["deblurred"],
            atol=1e-5,
            rtol=2e-6,
        )


def test_a_saved_model_comes_back_the_same(model, tmp_path):
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.get_config() == model.get_config()
    views = views_of(model)
    np.testing.assert_array_equal(
        ops.convert_to_numpy(loaded(views)["deblurred"]),
        ops.convert_to_numpy(model(views)["deblurred"]),
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_filters": 3},
        {"num_blocks": (1, 2, 3)},
        {"kernel_size": 4},
        {"expansion_factor": 0.0},
        {"views": 3},
        {"variant": "code"},
    ],
    ids=str,
)
def test_bad_arguments_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        create_model("lakdnet_small", **wrong)
