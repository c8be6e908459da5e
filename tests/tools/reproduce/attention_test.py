"""The maps of [KPAC Fig. 6] and the modulation of [KPAC Fig. 8] on a tiny network."""

import keras
import numpy as np

from tests.testing import load_tool
from tf_defocus.models import create_model

tool = load_tool("reproduce.attention")


def test_rows_hold_the_maps_and_what_each_rate_alone_restores(rng):
    model = create_model("kpac_3level", base_filters=6, num_blocks=1)
    for weight in model.trainable_variables:
        weight.assign(5 * weight)  # as drawn, so narrow a network does nothing
    photograph = rng.uniform(0.3, 0.7, (16, 24, 3)).astype("float32")
    maps, restorations = tool.attention_rows(model, photograph)
    assert len(maps) == len(restorations) == 6
    outputs = model({"blurred": photograph[None]})
    attention = keras.ops.convert_to_numpy(outputs["scale_attention"])[0, 0]
    for index, drawn in enumerate(maps[1:]):
        np.testing.assert_array_equal(drawn[::8, ::8, 0], attention[..., index])
    expected = keras.ops.convert_to_numpy(outputs["deblurred"])[0].clip(0, 1)
    np.testing.assert_allclose(restorations[0], expected, atol=1e-6)
    one_rate = [np.eye(5, dtype="float32")[2].reshape(1, 1, 1, 5)]
    outputs = model({"blurred": photograph[None]}, scale_weights=one_rate)
    expected = keras.ops.convert_to_numpy(outputs["deblurred"])[0].clip(0, 1)
    np.testing.assert_allclose(restorations[3], expected, atol=1e-6)
    assert np.any(restorations[3] != restorations[1])


def test_drawing_places_pictures_between_white_gaps():
    black, grey = np.zeros((3, 5, 3)), np.full((3, 5, 3), 0.2)
    drawn = tool.draw([[black, grey], [grey, black]])
    assert drawn.shape == (3 + tool.GAP + 3, 5 + tool.GAP + 5, 3)
    assert (drawn[0, 0, 0], drawn[0, -1, 0], drawn[-1, -1, 0]) == (0, 51, 0)
    assert (drawn[3 : 3 + tool.GAP] == 255).all()


def test_strips_are_blurred_one_by_one(rng):
    photograph = rng.random((16, 32, 3), dtype=np.float32)
    drawn = tool.rendered.strips_of_blur(photograph, tool.RADII)
    np.testing.assert_array_equal(drawn[:, :8], photograph[:, :8])
    variances = [np.var(drawn[:, 8 * i : 8 * i + 8]) for i in range(4)]
    assert variances == sorted(variances, reverse=True)
    np.testing.assert_array_equal(
        drawn[:, 24:], tool.rendered.blurred_by_disc(photograph, 4)[:, 24:]
    )


def test_the_table_holds_the_mean_weights_of_each_block(rng):
    model = create_model("kpac_2level", base_filters=6, num_blocks=1)
    model.blocks[0].scale.weighting.bias.assign([0, -50, -50, -50, 50])
    photograph = np.zeros((16, 16, 3), "float32")
    measured = tool.measure_weights(model, [photograph])
    lines = tool.weights_table(model, measured).splitlines()
    assert len(lines) == 2 + len(tool.RADII)
    cells = lines[2].strip("| ").split(" | ")
    assert cells[0] == "0" and cells[2] == "3.67"  # (0.5 * 1 + 1 * 5) / 1.5


def test_the_page_says_whether_the_paper_s_tendency_is_found():
    as_published = np.array([[0.5, 0, 0, 0, 0.1], [0.4, 0, 0, 0, 0.6]])
    text = tool.tendency(as_published)
    assert "rate 1 does stay" in text and "rate 5 is the larger" in text
    text = tool.tendency(as_published[::-1] * [[1], [0.1]])
    assert "rate 1 does not stay" in text and "rate 5 is not the larger" in text


def test_the_crop_is_central_and_fits_the_network(rng):
    pixels = rng.integers(0, 65536, (21, 40, 3)).astype("uint16")
    crop = tool.central_crop(pixels, size=24, multiple=8)
    assert crop.shape == (16, 24, 3)
    np.testing.assert_array_equal(np.rint(crop * 65535), pixels[2:18, 8:32])
