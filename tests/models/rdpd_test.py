"""RDPD against the authors' recorded tensors, its counts and its whole frames."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.layers.rdpd_test import naive_distance
from tests.testing import (
    assert_agrees,
    golden_file,
    official_weights,
    reference_file,
)
from tf_defocus import conversion, create_model
from tf_defocus.ops.padding import pad_to_multiple
from tf_defocus.restoration import Restorer

INTERMEDIATES = {  # name in the recorded files -> our stage
    **{f"conv{i}": f"conv{i}" for i in range(1, 9)},
    "convlstm": "lstm",
    "up6": "up6",
    "conv9": "colors",
    "linear": "linear",
}


def recorded_views(vectors):
    return {
        "left": vectors["in/left"],
        "right": vectors["in/right"],
        "radial_distance": vectors["in/radial_mask"],
    }


@pytest.mark.parametrize("name", ["rdpd", "rdpd_image"])
def test_every_stage_agrees_with_the_authors(name):
    """A clip of three frames; a batch of two photographs."""
    vectors = reference_file(f"{name}.npz")
    model = create_model("rdpd", variant="released", base_filters=4)
    conversion.load_official(model, official_weights(vectors))
    views = recorded_views(vectors)
    stages = model.stages(views)
    recorded = [key for key in vectors.files if key.startswith("mid/")]
    assert {key.removeprefix("mid/") for key in recorded} == set(INTERMEDIATES)
    for key in recorded:
        ours = ops.convert_to_numpy(stages[INTERMEDIATES[key.removeprefix("mid/")]])
        assert_agrees(ours.reshape(vectors[key].shape), vectors, key)
    assert_agrees(model(views)["deblurred"], vectors, "output")


def test_a_photograph_has_four_axes_or_is_one_frame():
    vectors = reference_file("rdpd_image.npz")
    model = create_model("rdpd", base_filters=4)
    conversion.load_official(model, official_weights(vectors))
    photographs = {k: v[:, 0] for k, v in recorded_views(vectors).items()}
    assert_agrees(model(photographs)["deblurred"][:, None], vectors, "output")


def test_parameter_count_equals_the_papers():
    assert create_model("rdpd").count_params() == 24_278_703


def fill(network):
    """Weights that leave no part silent and most of the image within [0, 1]."""
    random = np.random.default_rng(4)
    scales = [np.sqrt(2 / np.prod(w.shape[:-1])) for w in network.weights]
    weights = [random.normal(size=w.shape) * s for w, s in zip(network.weights, scales)]
    network.set_weights(weights)
    network.mixing.kernel.assign(0.2 * np.eye(3)[None, None])
    network.mixing.bias.assign([0.0, 0.1, 0.2])


@pytest.fixture(scope="module")
def model():
    network = create_model("rdpd", base_filters=2)
    fill(network)
    return network


def golden_views(shape=(1, 2, 16, 48, 3)):
    random = np.random.default_rng(2021)
    return {k: random.random(shape).astype("float32") for k in ("left", "right")}


def test_golden_output_is_unchanged(model):
    with np.load(golden_file("rdpd.npz"), allow_pickle=False) as golden:
        expected = golden["deblurred"]
    assert expected.std() > 0.05
    actual = model(golden_views())["deblurred"]
    np.testing.assert_allclose(actual, expected, atol=1e-5, rtol=2e-6)


def test_distance_is_made_of_the_whole_frame_where_it_is_not_given(model):
    views = golden_views()
    distance = naive_distance(16, 48).astype("float32")[..., None] / 255
    for given in (distance, np.broadcast_to(distance, (1, 2, 16, 48, 1))):
        expected = model({**views, "radial_distance": given})["deblurred"]
        np.testing.assert_allclose(
            model(views)["deblurred"], expected, atol=1e-6, rtol=2e-6
        )
    other = model({**views, "radial_distance": 0 * distance})["deblurred"]
    difference = np.asarray(other) - np.asarray(model(views)["deblurred"])
    assert np.abs(difference).max() > 1e-3


def test_frames_are_told_of_those_before_and_not_of_those_after(model):
    views = golden_views((1, 3, 16, 16, 3))
    whole = ops.convert_to_numpy(model(views)["deblurred"])
    begun = model({k: v[:, :2] for k, v in views.items()})["deblurred"]
    np.testing.assert_allclose(whole[:, :2], begun, atol=1e-6, rtol=2e-6)
    alone = model({k: v[:, 2:] for k, v in views.items()})["deblurred"]
    assert np.abs(whole[:, 2:] - np.asarray(alone)).max() > 1e-4


def test_tiles_are_told_where_they_lie(model):
    """Odd sizes, too: the distance is that of the photograph before it is padded."""
    size = (45, 1000)
    views = {k: v[0] for k, v in golden_views((1, *size, 3)).items()}
    tiled = Restorer(model, tile=640)
    assert len(tiled.plan(*size)[0]) > 1
    restored = tiled.restore(**views)
    whole = Restorer(model, tile=0).restore(**views)
    np.testing.assert_allclose(restored, whole, atol=1e-5, rtol=2e-6)
    distance = naive_distance(*size).astype("float32")[..., None] / 255
    margin, multiple = model.border_margin, model.size_multiple
    padded = {
        name: pad_to_multiple(value[None], multiple, margin)
        for name, value in {**views, "radial_distance": distance}.items()
    }
    rows, columns = (slice(margin, margin + side) for side in size)
    expected = ops.convert_to_numpy(model(padded)["deblurred"])[0, rows, columns]
    np.testing.assert_allclose(whole, expected, atol=1e-5, rtol=2e-6)


def test_receptive_field_is_what_an_impulse_reaches():
    model = create_model("rdpd", base_filters=1)
    model.set_weights([np.full(w.shape, w.ndim == 4, "float32") for w in model.weights])
    model.lstm.bias.assign(np.repeat([3.0, 0.0, 0.0, 3.0], 16))  # gates wide open
    width = 512
    image = np.zeros((16, 16, width, 3), "float32")
    places = 240 + np.arange(16)  # every phase of the coarsest grid
    image[np.arange(16), 8, places] = 1
    views = {"left": image, "right": image}
    views["radial_distance"] = np.zeros((1, 16, width, 1), "float32")
    output = ops.convert_to_numpy(model.stages(views)["linear"])
    reached = (output != 0).any(axis=(1, 3))
    distances = [np.abs(np.flatnonzero(r) - p).max() for r, p in zip(reached, places)]
    assert max(distances) == model.receptive_field // 2 == 123


def test_a_saved_model_comes_back_the_same(tmp_path):
    model = create_model("rdpd", base_filters=2, dropout_rate=0.3)
    views = golden_views()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.get_config() == model.get_config()
    np.testing.assert_array_equal(
        ops.convert_to_numpy(loaded(views)["deblurred"]),
        ops.convert_to_numpy(model(views)["deblurred"]),
    )


def test_views_of_other_axes_are_refused(model):
    with pytest.raises(ValueError, match=r"Views must be .* Received: \(16, 48, 3\)"):
        model({k: v[0, 0] for k, v in golden_views().items()})


@pytest.mark.parametrize(
    "wrong", [{"base_filters": 0}, {"dropout_rate": 1.0}, {"variant": "code"}], ids=str
)
def test_bad_arguments_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        create_model("rdpd", **wrong)
