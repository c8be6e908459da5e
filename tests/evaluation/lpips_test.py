"""Tests of `tf_defocus.evaluation.lpips`."""

import dataclasses
import hashlib

import keras
import numpy as np
import pytest

from tests import testing, torch_archive
from tf_defocus.evaluation import lpips

RTOL = 1e-4  # float32, 13 convolutions deep


def seeded_arrays(network):
    """The weights of `tests/goldens/record_lpips.py`, by their official names."""
    arrays, channels = {}, 3
    for stage, convolutions in enumerate(lpips.BACKBONES[network].stages):
        for index, filters, size, _, _ in convolutions:
            rng = np.random.default_rng([index, 2018])
            deviation = np.sqrt(2 / (channels * size * size))
            kernel = rng.normal(0, deviation, (filters, channels, size, size))
            arrays[f"features.{index}.weight"] = kernel.astype("float32")
            arrays[f"features.{index}.bias"] = rng.normal(0, 0.1, filters).astype("f4")
            channels = filters
        head = np.random.default_rng([stage, 2019]).uniform(0, 1, (1, channels, 1, 1))
        arrays[f"lin{stage}.model.1.weight"] = head.astype("float32")
    return arrays


def image_pair(height, width):
    """The images of `tests/goldens/record_lpips.py`, as batches of one."""
    rng = np.random.default_rng([height, width])
    image = rng.uniform(-1, 1, (height, width, 3))
    other = np.clip(image + rng.normal(0, 0.3, image.shape), -1, 1)
    return [image[None].astype("float32"), other[None].astype("float32")]


@pytest.fixture(scope="module", params=["alex", "vgg"])
def seeded(request):
    """(network, model with seeded weights)."""
    model = lpips.create_lpips(request.param)
    lpips.assign_official(model, seeded_arrays(request.param))
    return request.param, model


@pytest.mark.parametrize("size", [(64, 80), (47, 59)])
def test_distance_and_features_equal_the_published_definition(seeded, size):
    network, model = seeded
    golden = np.load(testing.golden_file("lpips.npz"), allow_pickle=False)
    key = f"{network}_{size[0]}x{size[1]}"
    pair = image_pair(*size)
    stages = [np.asarray(f) for f in model.get_layer("features")(pair[0])]
    means, deviations = [f.mean() for f in stages], [f.std() for f in stages]
    np.testing.assert_allclose(means, golden[f"{key}/means"], rtol=RTOL)
    np.testing.assert_allclose(deviations, golden[f"{key}/deviations"], rtol=RTOL)
    np.testing.assert_allclose(np.asarray(model(pair)), golden[f"{key}/score"], RTOL)


def test_distance_is_zero_for_equal_images_and_symmetric(seeded):
    _, model = seeded
    image, other = image_pair(32, 33)
    np.testing.assert_allclose(np.asarray(model([image, image])), [0])
    there, back = model([image, other]), model([other, image])
    assert float(there[0]) > 0
    np.testing.assert_allclose(np.asarray(there), np.asarray(back), rtol=1e-6)


def test_each_image_of_a_batch_has_its_own_distance(seeded):
    _, model = seeded
    image, other = image_pair(32, 40)
    batch = model([np.concatenate([image, image]), np.concatenate([other, image])])
    expected = [float(model([image, other])[0]), 0]
    np.testing.assert_allclose(np.asarray(batch), expected, rtol=1e-5, atol=1e-7)


def test_precision_does_not_follow_the_global_policy():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = lpips.create_lpips("alex")
        lpips.assign_official(model, seeded_arrays("alex"))
        score = np.asarray(model(image_pair(64, 80)))
    finally:
        keras.config.set_dtype_policy("float32")
    golden = np.load(testing.golden_file("lpips.npz"), allow_pickle=False)
    assert score.dtype == np.float32
    np.testing.assert_allclose(score, golden["alex_64x80/score"], RTOL)


@pytest.fixture
def weights_folder(tmp_path, monkeypatch):
    """Both files of AlexNet with seeded weights, under names with the right digest."""
    arrays = seeded_arrays("alex")
    heads = {key: array for key, array in arrays.items() if key.startswith("lin")}
    features = {key: array for key, array in arrays.items() if key not in heads}
    features["classifier.1.weight"] = np.ones((2, 3), "float32")
    torch_archive.write_tensors(tmp_path / "alex.pth", heads)
    path = torch_archive.write_tensors(tmp_path / "features", features)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    path = path.rename(tmp_path / f"alexnet-owt-{digest}.pth")
    backbone = dataclasses.replace(lpips.BACKBONES["alex"], features_file=path.name)
    monkeypatch.setitem(lpips.BACKBONES, "alex", backbone)
    return tmp_path


def test_weights_are_read_from_the_authors_files(weights_folder):
    model = lpips.load_lpips(weights_folder, "alex")
    golden = np.load(testing.golden_file("lpips.npz"), allow_pickle=False)
    score = np.asarray(model(image_pair(64, 80)))
    np.testing.assert_allclose(score, golden["alex_64x80/score"], RTOL)


def test_a_file_with_another_digest_is_refused(weights_folder):
    path = weights_folder / lpips.BACKBONES["alex"].features_file
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ValueError, match="SHA-256 must start with"):
        lpips.load_lpips(weights_folder, "alex")


@pytest.mark.parametrize(
    "network, files",
    [
        ("alex", r"alexnet-owt-7be5be79\.pth and alex\.pth"),
        ("vgg", r"vgg16-397923af\.pth and vgg\.pth"),
    ],
)
def test_absent_weights_say_which_files_to_put_where(network, files, tmp_path):
    with pytest.raises(FileNotFoundError, match=f"{files} in {tmp_path}: put"):
        lpips.load_lpips(tmp_path, network)


def test_incomplete_weights_are_refused():
    arrays = seeded_arrays("alex")
    del arrays["features.3.bias"]
    with pytest.raises(ValueError, match=r"features\.3\.bias"):
        lpips.assign_official(lpips.create_lpips("alex"), arrays)


def test_unknown_network_names_the_known_ones():
    with pytest.raises(ValueError, match=r"alex, vgg.*network='squeeze'"):
        lpips.create_lpips("squeeze")
