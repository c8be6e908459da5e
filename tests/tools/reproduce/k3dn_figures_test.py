"""What K3DN's figures draw is what its layers compute."""

import keras
import numpy as np
import pytest

from tests.testing import load_tool
from tf_defocus.evaluation.examples import Example
from tf_defocus.models import create_model

tool = load_tool("reproduce.k3dn_figures")


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    return create_model(
        "k3dn_tiny",
        base_filters=3,
        encoder_residual_units=1,
        num_psf_blocks=1,
        window_size=(4, 4),
        pool_size=(2, 2),
        pad_scale=(32, 32),
        variant="released",
    )


def test_kernels_are_drawn_red_above_zero_and_blue_below(model):
    sets = tool.kernel_sets(model.psf_blocks[0])
    assert [kernels.shape for kernels in sets.values()] == [(12, 9, 9)] * 2
    drawn = tool.picture_of_kernels(sets)
    tile = 9 * tool.ZOOM + tool.GAP
    assert drawn.shape == (2 * tile + 8, tool.COLUMNS * tile, 3)
    kernel = sets["reblurring"][3] / np.abs(sets["reblurring"][3]).max()
    shown = drawn[tile + 8 :, 3 * tile :][: 9 * tool.ZOOM : tool.ZOOM]
    shown = shown[:, : 9 * tool.ZOOM : tool.ZOOM].astype(float)
    np.testing.assert_allclose(shown[..., 0] - shown[..., 2], 255 * kernel, atol=0.51)


def test_the_plane_runs_from_in_front_of_focus_to_behind():
    views, disparities = tool.plane_of_disparities(32, 128)
    assert views["left"].shape == (1, 32, 128, 3)
    assert disparities[0] > 3 and disparities[-1] < -3
    assert (np.diff(disparities) <= 0).all()
    differences = np.abs(views["left"] - views["right"]).mean(axis=(0, 1, 3))
    assert differences[62:66].max() < 0.1 * differences.max()  # in focus


def test_weights_are_those_of_the_query(model, rng):
    views = {name: rng.random((1, 32, 96, 3), np.float32) for name in ("left", "right")}
    weights = tool.query_weights(model, views)
    assert weights.shape == (1, 3, 12)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-5)
    vectors = keras.ops.convert_to_numpy(model.disparity_vectors(views))
    block = model.psf_blocks[0]
    one = block.pointwise.channel_weights(block.answer(vectors[0, 0, 1:2]))
    np.testing.assert_allclose(weights[0, 1], np.ravel(one), atol=1e-6)


def test_maps_are_what_the_preservation_blocks_see(model, rng, monkeypatch):
    views = {name: rng.random((1, 32, 64, 3), np.float32) for name in ("left", "right")}
    maps = model.similarity_maps(views)
    assert [m.shape for m in maps] == [
        (1, 8, 16, 81),
        (1, 16, 32, 81),
        (1, 32, 64, 81),
    ]
    seen = []
    for block in model.preservation:
        monkeypatch.setattr(
            block,
            "similarity",
            lambda old, new, own=block.similarity: (
                seen.append(own(old, new)) or seen[-1]
            ),
        )
    model(views)
    for actual, expected in zip(maps, seen, strict=True):
        np.testing.assert_allclose(actual, expected, atol=1e-6)


def test_pictures_and_correlations_are_of_the_photograph(model, rng, monkeypatch):
    """A map that is the defocus itself correlates fully."""
    coc = np.repeat(np.linspace(-4, 8, 40), 24).reshape(40, 24, 1).astype("float32")
    photo = rng.integers(0, 65536, (40, 24, 3)).astype("uint16")
    example = Example(
        "one", dict.fromkeys(("blurred", "left", "right"), photo), photo, coc
    )
    padded = np.pad(np.abs(coc)[None], ((0, 0), (0, 24), (0, 8), (0, 0)))
    monkeypatch.setattr(model, "similarity_maps", lambda _: [padded, -padded])
    pictures, correlations = tool.similarity_pictures(model, example)
    np.testing.assert_allclose(correlations, [1, -1], atol=1e-6)
    assert [p.shape for p in pictures] == [(40, 24, 3)] * 4
    np.testing.assert_array_equal(pictures[0], photo >> 8)


def test_the_page_tells_the_numbers():
    weights = np.array([[0.7, 0.3], [0.1, 0.9]])
    text = tool.page("k3dn_tiny", "figures", weights, np.array([2.0, -2.5]), [0.5, -1])
    assert "| +2.0 | 0 | 0.7000 |\n| -2.5 | 1 | 0.9000 |" in text
    assert "+0.50, -1.00." in text and "(figures/response.png)" in text
    drawn = tool.picture_of_response(weights, np.array([2.0, -2.5]))
    assert drawn.shape == (*tool.line_chart.SIZE, 3)
