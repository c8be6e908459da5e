"""Tests of `tf_defocus.evaluation.protocols`."""

import numpy as np
import pytest

from tests import testing
from tf_defocus import metrics
from tf_defocus.evaluation.protocols import PROTOCOLS, get_protocol, score

RECORDED = [
    ("ifan", "ifan_{}_f32", 1e-6),
    ("restormer", "ifan_{}_f32", 1e-6),
    ("k3dn", "k3dn_{}_f32", 1e-6),
    ("native16", "k3dn_{}_f64", 1e-6),
    ("dpdnet", "dpdnet_{}_f64", 1e-6),
    ("gkmnet", "gkmnet_test_{}", 1e-5),  # recorded in float32
]


@pytest.fixture
def pair(rng):
    return tuple(rng.uniform(0, 1, (2, 16, 20, 3)))


@pytest.mark.parametrize("depth", ["u8", "u16"])
@pytest.mark.parametrize("protocol, group, tolerance", RECORDED)
def test_scores_equal_the_recorded_ones(protocol, group, tolerance, depth):
    vectors = testing.reference_file("metrics.npz")
    group = group.format(depth)
    actual = score(
        vectors[f"image/pred_{depth}"], vectors[f"image/gt_{depth}"], protocol
    )
    recorded = [k.split("/")[1] for k in vectors.files if k.startswith(group + "/")]
    assert recorded
    for name in recorded:
        expected = float(vectors[f"{group}/{name}"][0])
        np.testing.assert_allclose(actual[name], expected, rtol=1e-7, atol=tolerance)


def test_gkmnet_clips_for_psnr_alone():
    vectors = testing.reference_file("metrics.npz")
    sharp = vectors["image/gt_u8"].astype("float32") / 255
    actual = score(vectors["image/pred_float_unclipped"], sharp, "gkmnet")
    for name in ("psnr", "ssim"):
        expected = float(vectors[f"unclipped/gkmnet_test_{name}"][0])
        np.testing.assert_allclose(actual[name], expected, atol=1e-5)


def test_every_protocol_gives_its_scores_in_order(pair):
    for name, protocol in PROTOCOLS.items():
        scores = score(*pair, protocol=name)
        assert tuple(scores) == protocol.scores
        assert all(type(value) is float for value in scores.values())
    assert tuple(score(*pair, "dpdnet")) == ("psnr", "ssim", "mae", "mse")


def test_8_bit_and_16_bit_copies_score_alike(rng):
    deblurred, sharp = rng.integers(0, 256, (2, 16, 20, 3))
    bytes_ = score(deblurred.astype("uint8"), sharp.astype("uint8"))
    words = score((deblurred * 257).astype("uint16"), (sharp * 257).astype("uint16"))
    floats = score(deblurred / 255, sharp / 255)
    for name, value in bytes_.items():
        np.testing.assert_allclose([words[name], floats[name]], value, rtol=1e-12)


def test_ifan_clips_and_does_not_round(pair):
    deblurred, sharp = 1.5 * pair[0] - 0.2, pair[1]
    clipped = np.clip(deblurred, 0, 1)
    assert score(deblurred, sharp)["psnr"] == metrics.psnr(clipped, sharp)
    assert score(deblurred, sharp)["ssim"] == metrics.ssim_uniform(clipped, sharp)


def test_kpac_rounds_to_8_bit(pair):
    rounded = [np.rint(255 * image).astype("uint8") for image in pair]
    assert score(*pair, "kpac") == pytest.approx(score(*rounded, "ifan"), rel=1e-12)
    assert score(*pair, "kpac")["psnr"] != score(*pair, "ifan")["psnr"]


def test_equal_images_score_perfectly(pair):
    expected = {"psnr": float("inf"), "ssim": 1.0, "mae": 0.0}
    assert score(pair[0], pair[0]) == pytest.approx(expected)


def test_score_changes_no_input(pair):
    copies = [image.copy() for image in pair]
    score(*pair, "gkmnet")
    np.testing.assert_array_equal(pair, copies)


@pytest.mark.parametrize(
    "deblurred, sharp, error, message",
    [
        (np.zeros((8, 8, 3)), np.zeros((8, 9, 3)), ValueError, r"\(8, 8, 3\), sharp"),
        (np.zeros((8, 8, 3)), np.zeros((8, 8, 3), "uint8"), TypeError, "sharp uint8"),
        (np.zeros((8, 8, 3), "int32"),) * 2 + (TypeError, "deblurred int32"),
        (np.zeros((8, 8)),) * 2 + (ValueError, r"\(8, 8\)"),
        (np.zeros((1, 8, 8, 3)),) * 2 + (ValueError, r"\(1, 8, 8, 3\)"),
        (np.zeros((8, 8, 4)),) * 2 + (ValueError, r"\(8, 8, 4\)"),
        (np.zeros((0, 0, 3)),) * 2 + (ValueError, "at least 7 px"),
        (np.zeros((6, 8, 3)),) * 2 + (ValueError, "at least 7 px"),
        (np.full((8, 8, 3), np.nan), np.zeros((8, 8, 3)), ValueError, "`deblurred`"),
        (np.zeros((8, 8, 3)), np.full((8, 8, 3), np.inf), ValueError, "`sharp` must"),
        (np.zeros((8, 8, 3)), np.full((8, 8, 3), 1.5), ValueError, "to 1.5"),
    ],
)
def test_what_is_no_pair_of_images_is_refused(deblurred, sharp, error, message):
    with pytest.raises(error, match=message):
        score(deblurred, sharp)


def test_gaussian_window_needs_11_px():
    with pytest.raises(ValueError, match="at least 11 px"):
        score(np.zeros((10, 30, 3)), np.zeros((10, 30, 3)), "gkmnet")


def test_unknown_protocol_names_the_known_ones():
    with pytest.raises(ValueError, match=r"dpdnet, kpac, .*protocol='drbnet'"):
        get_protocol("drbnet")
