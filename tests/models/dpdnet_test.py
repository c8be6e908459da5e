"""DPDNet: against the authors' recorded tensors, sizes and parameter counts."""

import keras
import numpy as np
import pytest

from tests.testing import (
    assert_agrees,
    golden_file,
    official_weights,
    reference_file,
)
from tf_defocus import conversion, create_model, list_models
from tf_defocus.models.dpdnet import DPDNet

INTERMEDIATES = {  # name in the recorded files -> our stage
    **{f"conv{i}": f"conv{i}" for i in range(1, 9)},
    **{f"up{i}": f"up{i}" for i in range(6, 10)},
    "conv9_pre": "conv9",
    "conv9": "colors",
}


def _inputs(model, image):
    views = np.split(image, len(model.view_names), axis=-1)
    return dict(zip(model.view_names, views))


def _loaded(vectors, name, **overrides):
    model = create_model(name, variant="released", **overrides)
    conversion.load_official(model, official_weights(vectors))
    return model, _inputs(model, vectors["in/image"])


def _assert_every_recorded_tensor_agrees(model, inputs, vectors):
    stages = model.stages(inputs)
    recorded = [k for k in vectors.files if k.startswith("mid/")]
    assert len(recorded) >= 4
    for key in recorded:
        ours = stages[INTERMEDIATES[key.split("@")[0].removeprefix("mid/")]]
        assert_agrees(keras.ops.convert_to_numpy(ours), vectors, key)
    output = model(inputs)["deblurred"]
    assert_agrees(keras.ops.convert_to_numpy(output), vectors, "output")


@pytest.mark.parametrize("kind", ["single", "dual"])
def test_every_stage_agrees_with_the_authors_at_an_eighth_of_the_filters(kind):
    vectors = reference_file(f"dpdnet_{kind}_w8.npz")
    model, inputs = _loaded(vectors, f"dpdnet_{kind}", base_filters=8)
    _assert_every_recorded_tensor_agrees(model, inputs, vectors)


def test_the_full_network_agrees_with_the_authors_and_has_their_parameters():
    vectors = reference_file("dpdnet_dual_full.npz")
    model, inputs = _loaded(vectors, "dpdnet_dual")
    assert model.count_params() == 31_035_151
    _assert_every_recorded_tensor_agrees(model, inputs, vectors)


@pytest.mark.parametrize("name", ["dpdnet_single", "dpdnet_dual"])
def test_output_of_fixed_weights_is_the_stored_one(name):
    # Where the recorded vectors are absent; written when they agreed.
    actual = _output_of_fixed_weights(name)
    expected = np.load(golden_file("dpdnet.npz"))[name]
    assert expected.std() > 0.01
    np.testing.assert_allclose(actual, expected, atol=1e-4, rtol=2e-6)


def _output_of_fixed_weights(name):
    random = np.random.default_rng(2020)
    model = create_model(name, base_filters=2)
    scales = [1.5 / np.sqrt(np.prod(w.shape[:-1])) for w in model.weights]
    weights = [random.normal(size=w.shape) * s for w, s in zip(model.weights, scales)]
    model.set_weights(weights)
    image = random.random((1, 16, 32, 3 * len(model.view_names)))
    output = model(_inputs(model, image.astype("float32")))["deblurred"]
    return keras.ops.convert_to_numpy(output)


def test_one_view_less_is_three_input_channels_less():
    small = {
        name: create_model(name, base_filters=4).count_params()
        for name in ("dpdnet_single", "dpdnet_dual")
    }
    assert small["dpdnet_dual"] - small["dpdnet_single"] == 3 * 9 * 4


def test_parameters_from_shapes_alone_are_the_published_numbers():
    # Every convolution's kernel and bias, without allocating 31 million numbers twice.
    widths = [64 * 2**level for level in range(5)]
    encoder = zip([3, *widths[:-1]], widths)
    single = sum(9 * i * o + o + 9 * o * o + o for i, o in encoder)
    for coarse, fine in zip(widths[:0:-1], widths[-2::-1]):
        single += 4 * coarse * fine + fine + 9 * 2 * fine * fine + fine
        single += 9 * fine * fine + fine
    single += 9 * 64 * 3 + 3 + 3 * 3 + 3
    assert single == 31_033_423
    model = create_model("dpdnet_single", base_filters=4)
    shapes = [tuple(w.shape) for w in model.weights]
    scaled = [_at_full_width(shape) for shape in shapes]
    assert sum(int(np.prod(shape)) for shape in scaled) == single


def _at_full_width(shape):
    """A shape of the network at 4 base filters, at 64; three colours stay three."""
    if len(shape) == 1:
        return (shape[0] if shape[0] == 3 else 16 * shape[0],)
    channels = tuple(c if c == 3 else 16 * c for c in shape[2:])
    return (*shape[:2], *channels)


def test_receptive_field_is_what_an_impulse_reaches():
    model = create_model("dpdnet_single", base_filters=1)
    model.set_weights([np.full(w.shape, w.ndim == 4, "float32") for w in model.weights])
    width = 512
    image = np.zeros((16, 16, width, 3), "float32")
    places = 240 + np.arange(16)  # every phase of the coarsest grid
    image[np.arange(16), 8, places] = 1
    output = keras.ops.convert_to_numpy(model({"blurred": image})["deblurred"])
    reached = (output > 0.5).any(axis=(1, 3))
    distances = [np.abs(np.flatnonzero(r) - p).max() for r, p in zip(reached, places)]
    assert max(distances) == model.receptive_field // 2 == 123


def test_dropout_acts_in_training_only_and_on_the_skip_too(rng):
    model = create_model("dpdnet_single", base_filters=4, dropout_rate=0.5)
    inputs = {"blurred": rng.random((1, 32, 48, 3), "float32")}
    still = [keras.ops.convert_to_numpy(model(inputs)["deblurred"]) for _ in range(2)]
    np.testing.assert_array_equal(*still)
    plain = keras.ops.convert_to_numpy(model.stages(inputs)["conv4"])
    dropped = keras.ops.convert_to_numpy(model.stages(inputs, training=True)["conv4"])
    kept = dropped != 0
    np.testing.assert_allclose(dropped[kept], 2 * plain[kept], rtol=1e-5)
    assert 0.3 < np.mean(dropped[plain != 0] == 0) < 0.7


def test_sizes_are_dynamic_and_the_output_is_float32_under_bfloat16(rng):
    model = DPDNet(base_filters=4, views=2, dtype="mixed_bfloat16")
    model.build()
    for height, width in ((16, 48), (32, 16)):
        view = rng.random((1, height, width, 3), "float32")
        output = model({"left": view, "right": view})["deblurred"]
        assert output.shape == view.shape
        assert keras.backend.standardize_dtype(output.dtype) == "float32"


def test_a_saved_model_comes_back_the_same(rng, tmp_path):
    model = create_model("dpdnet_dual", base_filters=4, dropout_rate=0.3)
    inputs = _inputs(model, rng.random((1, 16, 32, 6), "float32"))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.get_config() == model.get_config()
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(loaded(inputs)["deblurred"]),
        keras.ops.convert_to_numpy(model(inputs)["deblurred"]),
    )


@pytest.mark.parametrize(
    "wrong",
    [{"views": 3}, {"base_filters": 0}, {"dropout_rate": 1.0}, {"variant": "code"}],
)
def test_bad_arguments_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        create_model("dpdnet_dual", **wrong)


def test_names_are_listed_with_their_views():
    assert {"dpdnet_single", "dpdnet_dual"} <= set(list_models())
    single = create_model("dpdnet_single", base_filters=2)
    dual = create_model("dpdnet_dual", base_filters=2)
    assert (single.view_names, dual.view_names) == (("blurred",), ("left", "right"))
    assert single.size_multiple == dual.size_multiple == (16, 16)
