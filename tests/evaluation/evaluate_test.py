"""Tests of `tf_defocus.evaluation.evaluate`, its scores and pictures."""

import json

import cv2
import numpy as np
import pytest

from tf_defocus.evaluation.evaluate import evaluate, prepare
from tf_defocus.evaluation.examples import Example, sharp_as_input
from tf_defocus.evaluation.protocols import get_protocol, score
from tf_defocus.evaluation.scores import Scores
from tf_defocus.images.files import read_image


class FakeRestorer:
    """Applies a function to one view, and remembers what it was given."""

    def __init__(self, function, view="blurred"):
        self.function, self.view_names, self.seen = function, (view,), []

    def restore(self, **views):
        (view,) = views.values()
        self.seen.append(view)
        return self.function(view)


def brighter(view):
    return np.clip(view + np.float32(0.1), 0, 1)


@pytest.fixture
def examples(rng):
    """Two pairs of 16x24 images, 8 bit, the second one the harder."""
    found = []
    for index, noise in enumerate((10, 40)):
        sharp = rng.integers(40, 216, (16, 24, 3)).astype("uint8")
        blurred = np.clip(sharp + rng.normal(0, noise, sharp.shape), 0, 255)
        found.append((f"scene_{index}", {"blurred": blurred.astype("uint8")}, sharp))
    return found


def expected_scores(view, sharp, function):
    view, sharp = (image / np.float32(255) for image in (view, sharp))
    return score(function(view), sharp)


def test_scores_are_those_of_the_protocol_per_image(examples):
    report = evaluate({"brighter": FakeRestorer(brighter)}, examples)
    for image, (name, views, sharp) in zip(report.images, examples):
        assert image["name"] == name
        for method, function in (("input", np.asarray), ("brighter", brighter)):
            expected = expected_scores(views["blurred"], sharp, function)
            assert image["scores"][method] == pytest.approx(expected, rel=1e-6)


def test_summary_holds_means_gains_and_the_worst_image(examples):
    report = evaluate({"brighter": FakeRestorer(brighter)}, examples)
    rows = [image["scores"] for image in report.images]
    gains = [row["brighter"]["psnr"] - row["input"]["psnr"] for row in rows]
    summary = report.summary()
    assert set(summary["input"]) == {"mean"}
    expected = np.mean([row["input"]["ssim"] for row in rows])
    assert summary["input"]["mean"]["ssim"] == pytest.approx(expected)
    assert summary["brighter"]["gain"]["psnr"] == pytest.approx(np.mean(gains))
    assert summary["brighter"]["worst_gain"] == pytest.approx(min(gains))
    assert min(gains) < np.mean(gains) < 0


def test_networks_receive_float32_and_are_not_rounded(examples):
    restorer = FakeRestorer(lambda view: view + np.float32(1e-3))
    evaluate({"fake": restorer}, examples)
    np.testing.assert_array_equal(
        restorer.seen[0], examples[0][1]["blurred"] / np.float32(255)
    )
    assert restorer.seen[0].dtype == np.float32
    unrounded = evaluate({"fake": restorer}, examples, "ifan").summary()["fake"]
    rounded = evaluate({"fake": restorer}, examples, "kpac").summary()
    assert rounded["fake"]["mean"] == pytest.approx(rounded["input"]["mean"])
    assert unrounded["mean"]["psnr"] != rounded["fake"]["mean"]["psnr"]


def test_8_bit_protocols_drop_the_low_byte_of_16_bit_files():
    image = np.array([[[0x12FF, 0x1200, 0xFFFF]]], "uint16")
    bytes_ = prepare(image, get_protocol("restormer"))
    words = prepare(image, get_protocol("native16"))
    np.testing.assert_allclose(bytes_, [[[0x12 / 255, 0x12 / 255, 1]]], rtol=1e-6)
    np.testing.assert_allclose(words, image / 65535, rtol=1e-6)


def test_ifan_crops_right_and_bottom_to_a_multiple_of_8(rng):
    image = rng.integers(0, 256, (19, 30, 3)).astype("uint8")
    framed = prepare(image, get_protocol("ifan"))
    np.testing.assert_allclose(framed, image[:16, :24] / 255, rtol=1e-6)


def test_gkmnet_pads_with_black_around_the_centre(rng):
    image = rng.integers(1, 256, (29, 30, 3)).astype("uint8")
    framed = prepare(image, get_protocol("gkmnet"))
    assert framed.shape == (32, 32, 3)
    np.testing.assert_allclose(framed[1:30, 1:31], image / 255, rtol=1e-6)
    assert framed.sum() == pytest.approx((image / 255).sum(), rel=1e-5)


def test_k3dn_resizes_for_the_network_and_back(rng):
    small = rng.uniform(0.2, 0.8, (70, 105, 3))
    sharp = cv2.resize(small, (1680, 1120), interpolation=cv2.INTER_LINEAR)
    sharp = np.rint(sharp * 65535).astype("uint16")
    restorer = FakeRestorer(np.asarray)
    report = evaluate({"fake": restorer}, [("a", {"blurred": sharp}, sharp)], "k3dn")
    assert restorer.seen[0].shape == (1152, 1792, 3)
    scores = report.images[0]["scores"]
    assert scores["input"]["psnr"] == float("inf")
    assert 40 < scores["fake"]["psnr"] < float("inf")


def test_defocused_images_are_summed_up_apart(examples):
    coc = [np.full((16, 24, 1), value, "float32") for value in (0.5, -1.5)]
    examples = [Example(*example, c) for example, c in zip(examples, coc)]
    report = evaluate({"brighter": FakeRestorer(brighter)}, examples)
    subset = report.subsets()["mean |CoC| above 1 px"]
    assert subset["num_images"] == 1
    expected = report.images[1]["scores"]["brighter"]
    assert subset["methods"]["brighter"]["mean"] == pytest.approx(expected)
    assert "mean |CoC| above 1 px: 1 images" in report.to_markdown()


def test_unknown_circles_of_confusion_make_no_subset(examples):
    assert evaluate({}, examples).subsets() == {}


def test_sharp_input_measures_the_harm(examples):
    report = evaluate({"brighter": FakeRestorer(brighter)}, sharp_as_input(examples))
    assert report.summary()["input"]["mean"]["psnr"] == float("inf")
    assert report.summary()["brighter"]["mean"]["psnr"] == pytest.approx(20, abs=0.01)
    assert report.summary()["brighter"]["gain"] is None
    first = json.loads(report.to_json())["images"][0]["scores"]
    assert first["input"]["psnr"] == "inf"


def test_json_says_how_the_scores_were_made(examples):
    report = evaluate({"brighter": FakeRestorer(brighter)}, examples, dataset="two")
    images = json.loads(report.to_json())["images"]
    content = json.loads(report.to_json())["setting"]
    assert content["protocol"]["name"] == "ifan"
    assert content["protocol"]["bit_depth"] == 8
    assert content["dataset"] == "two"
    assert len(images) == 2
    assert images[0]["file_dtype"] == "uint8"
    assert images[0]["scored_size"] == [16, 24]
    assert content["libraries"]["numpy"] == np.__version__
    assert images[0]["scores"] == report.images[0]["scores"]


def test_table_has_the_input_first_and_the_gains(examples):
    report = evaluate({"brighter": FakeRestorer(brighter)}, examples, dataset="two")
    lines = report.to_markdown().splitlines()
    assert lines[0] == "two, 2 images, protocol ifan"
    assert lines[2] == "|  | PSNR [dB] | SSIM | MAE | gain [dB] | worst gain [dB] |"
    summary = report.summary()
    assert lines[4].startswith(f"| input | {summary['input']['mean']['psnr']:.2f} |")
    assert lines[5].endswith(f"| {summary['brighter']['worst_gain']:+.2f} |")


def test_the_protocol_k3dn_adds_its_relative_error(examples):
    report = evaluate({"brighter": FakeRestorer(brighter)}, examples, "k3dn")
    row = report.summary()["brighter"]
    assert row["rmse_rel"] == pytest.approx(10 ** (-row["mean"]["psnr"] / 20))
    lines = report.to_markdown().splitlines()
    assert "| MAE | RMSE_rel | gain [dB] |" in lines[2]
    assert f"| {row['rmse_rel']:.4f} |" in lines[5]
    assert "rmse_rel" not in evaluate({}, examples).summary()["input"]


def test_methods_scored_one_by_one_are_joined(examples, tmp_path):
    one = evaluate({"a": FakeRestorer(brighter)}, examples)
    other = evaluate({"b": FakeRestorer(np.asarray)}, examples)
    for name, scores in (("one", one), ("other", other)):
        scores.setting["commands"] = [name]
        (tmp_path / name).mkdir()
        scores.save(tmp_path / name)
    both = Scores.read(tmp_path / "one").joined(Scores.read(tmp_path / "other"))
    together = {"a": FakeRestorer(brighter), "b": FakeRestorer(np.asarray)}
    expected = evaluate(together, examples)
    assert both.images == json.loads(json.dumps(expected.images))
    assert both.rows() == expected.rows()
    assert both.commands == ["one", "other"]
    assert both.folders == (tmp_path / "one", tmp_path / "other")
    with pytest.raises(ValueError, match="twice scored: b"):
        both.joined(other)


def test_methods_scored_otherwise_are_not_joined(examples, tmp_path):
    new = evaluate({"a": FakeRestorer(brighter)}, examples)
    for reason, other in (
        ("protocol", evaluate({}, examples, "restormer")),
        ("images", evaluate({}, examples[:1])),
    ):
        with pytest.raises(ValueError, match=f"differ in: {reason}"):
            new.joined(other)
    changed = json.loads(new.to_json())
    changed["images"][1]["scores"]["input"]["psnr"] += 0.01
    (tmp_path / "scores.json").write_text(json.dumps(changed))
    with pytest.raises(ValueError, match="differ in: images"):
        new.joined(Scores.read(tmp_path))


@pytest.mark.parametrize("text", ["[]", "{", '{"setting": {}, "images": [{}]}'])
def test_a_file_without_scores_is_refused(tmp_path, text):
    (tmp_path / "scores.json").write_text(text)
    with pytest.raises(ValueError, match=r"scores\.json cannot be read .* again"):
        Scores.read(tmp_path)


def test_pictures_stand_side_by_side(examples, tmp_path):
    evaluate({"brighter": FakeRestorer(brighter)}, examples, picture_folder=tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["scene_0.png", "scene_1.png"]
    pixels = read_image(tmp_path / "scene_0.png").pixels
    _, views, sharp = examples[0]
    width = sharp.shape[1]
    np.testing.assert_array_equal(pixels[-16:, :width], views["blurred"])
    np.testing.assert_array_equal(pixels[-16:, -width:], sharp)
    assert pixels[:-16].std() > 0  # the labels


def test_published_pictures_are_scored_as_further_rows(examples):
    name, views, sharp = examples[0]
    example = Example(name, views, sharp, others={"dpdnet": sharp})
    scores = evaluate({}, [example]).images[0]["scores"]
    assert list(scores) == ["input", "dpdnet"]
    assert scores["dpdnet"]["psnr"] == float("inf")


class FakeLPIPS:
    """Brightest value of the one image less the darkest of the other."""

    name = "lpips_fake"

    def __call__(self, pair):
        image, other = pair
        assert image.shape == other.shape and image.ndim == 4
        return np.array([image.max() - other.min()])


def test_lpips_gets_the_protocols_range(examples):
    black = np.zeros_like(examples[0][2])
    pair = [("black", {"blurred": black}, black)]
    white = {"white": FakeRestorer(lambda view: view + np.float32(1))}
    for protocol, expected in (("ifan", 2.0), ("gkmnet", 1.0)):
        report = evaluate(white, pair, protocol, lpips=FakeLPIPS())
        assert report.images[0]["scores"]["white"]["lpips"] == expected
        assert json.loads(report.to_json())["setting"]["lpips"] == "lpips_fake"
        assert "| LPIPS |" in report.to_markdown()


def test_lpips_is_absent_without_a_network_or_where_the_paper_has_none(examples):
    for report in (
        evaluate({}, examples, "ifan"),
        evaluate({}, examples, "dpdnet", lpips=FakeLPIPS()),
    ):
        assert "lpips" not in report.summary()["input"]["mean"]
        assert "LPIPS" not in report.to_markdown()


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda n, v, s: [(n, v, s), (n, v, s)], "Two examples have the name"),
        (lambda n, v, s: [(n, v, s[:8])], "like the sharp image"),
        (lambda n, v, s: [(n, v, s.astype("uint16"))], "like the sharp image"),
        (lambda n, v, s: [(n, {"left": s}, s)], "fake wants"),
        (lambda n, v, s: [Example(n, v, s, others={"fake": s})], "its own name"),
        (lambda n, v, s: [], "no example"),
    ],
)
def test_what_cannot_be_averaged_is_refused(examples, change, message):
    with pytest.raises(ValueError, match=message):
        evaluate({"fake": FakeRestorer(np.asarray)}, change(*examples[0]))


def test_a_failing_restorer_fails_the_evaluation(examples):
    with pytest.raises(ValueError, match="must be finite"):
        evaluate({"fake": FakeRestorer(lambda view: view * np.nan)}, examples)


def test_noise_lowers_the_input_row_and_single_pictures_are_written(examples, tmp_path):
    restorer = {"same": FakeRestorer(np.asarray)}
    clean = evaluate(restorer, examples)
    noisy = evaluate(
        restorer,
        examples,
        picture_folder=tmp_path,
        noise_sigma=5.0,
        single_pictures=True,
    )
    assert (clean.setting["noise_sigma"], noisy.setting["noise_sigma"]) == (0.0, 5.0)
    for before, after in zip(clean.images, noisy.images):
        assert after["scores"]["input"]["psnr"] < before["scores"]["input"]["psnr"]
        assert after["scores"]["same"] == after["scores"]["input"]
    folder = tmp_path / "scene_0"
    assert {p.name for p in folder.iterdir()} == {"input.png", "same.png", "sharp.png"}
    sharp = read_image(folder / "sharp.png").pixels
    np.testing.assert_array_equal(sharp, examples[0][2])
