"""`tools/reproduce/blur_detection.py`: pairs, masks, maps and scores."""

import numpy as np
import pytest

from tests.testing import load_tool
from tf_defocus.evaluation import blur_detection
from tf_defocus.images.files import Image, write_image
from tf_defocus.models import create_model

tool = load_tool("reproduce.blur_detection")


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, Image(pixels))


def test_images_and_masks_are_paired_by_name(tmp_path):
    black = np.zeros((4, 4, 3), "uint8")
    for name in ("image/b.png", "image/a.jpg", "gt/a.png", "gt/b.png"):
        save(tmp_path / name, black)
    pairs = tool.paired_files(tmp_path / "image", tmp_path / "gt")
    assert [[p.name for p in pair] for pair in pairs] == [
        ["a.jpg", "a.png"],
        ["b.png", "b.png"],
    ]
    save(tmp_path / "gt" / "c.png", black)
    pairs = tool.paired_files(tmp_path / "image", tmp_path / "gt", prefix="a")
    assert [image.name for image, _ in pairs] == ["a.jpg"]
    with pytest.raises(FileNotFoundError, match=r"\['c'\]"):
        tool.paired_files(tmp_path / "image", tmp_path / "gt")


def test_masks_are_bright_where_blurred_unless_inverted(tmp_path):
    pixels = np.zeros((3, 4, 3), "uint8")
    pixels[:, 2:] = 255
    save(tmp_path / "m.png", pixels)
    mask = tool.read_mask(tmp_path / "m.png", invert=False)
    np.testing.assert_array_equal(mask, pixels[..., 0] > 0)
    np.testing.assert_array_equal(tool.read_mask(tmp_path / "m.png", True), ~mask)


def test_the_map_is_that_of_the_enlarged_image_at_its_own_size(rng):
    model = create_model("kpac_2level", base_filters=6, num_blocks=1)
    weighting = model.blocks[0].scale.weighting
    weighting.bias.assign([-50, -50, -50, -50, 50])  # every pixel wants the last rate
    mean_rate = blur_detection.mean_rate_map
    photograph = rng.random((10, 14, 3), dtype=np.float32)
    blur = tool.detect(model, photograph, 2, mean_rate)
    assert blur.shape == (10, 14)
    np.testing.assert_allclose(blur, 1, atol=1e-6)
    weighting.bias.assign([0, 0, 50, -50, -50])  # 0.5, 0.5, 1 on rates 1, 2, 3
    black = np.zeros((8, 8, 3), "float32")
    blur = tool.detect(model, black, 1, mean_rate)
    np.testing.assert_allclose(blur, ((0.5 + 1 + 3) / 2 - 1) / 4, atol=1e-6)
    np.testing.assert_allclose(tool.detect(model, black, 1), 0.5, atol=1e-6)


def test_one_threshold_scores_the_whole_set():
    left = np.zeros((4, 6), bool)
    left[:, :3] = True
    maps, masks = [0.8 * left, 0.6 * left], [left, left]
    chosen = tool.score_set(maps, masks)
    assert chosen["threshold_chosen"] and 0 < chosen["threshold"] < 0.6
    assert chosen["f_measure"] == chosen["accuracy"] == 1.0
    given = tool.score_set(maps, masks, 0.7)  # misses the second image
    assert given["accuracy"] == pytest.approx(0.75)
    assert given["f_measure"] == pytest.approx(0.5)
    assert not given["threshold_chosen"]
    single = blur_detection.detection_scores(maps[0] > 0.7, left)
    assert single["f_measure"] == 1.0
