"""Maps of whole photographs: any size, tiles that change nothing, the right network."""

import numpy as np
import pytest

from tf_defocus import create_model
from tf_defocus.models import presets
from tf_defocus.restoration.defocus_estimator import DefocusEstimator


@pytest.fixture(scope="module")
def model():
    random = np.random.default_rng(0)
    model = create_model("dmenet", base_filters=2)
    for weight in model.weights:
        if len(weight.shape) == 4:
            scale = 1 / np.sqrt(np.prod(weight.shape[:-1]))
            weight.assign(random.normal(size=weight.shape) * scale)
    image = random.random((1, 64, 64, 3)).astype("float32")
    for _ in range(30):  # running statistics that fit
        model({"blurred": image}, training=True)
    return model


@pytest.mark.parametrize("size", [(1, 1), (21, 34), (32, 16)])
def test_the_map_has_the_photographs_size(model, size, rng):
    image = rng.random((*size, 3), dtype=np.float32)
    defocus = DefocusEstimator(model).estimate(image)
    rows, columns = (-(-side // 16) * 16 - side for side in size)
    padded = np.pad(image, ((0, rows), (0, columns), (0, 0)), mode="edge")
    expected = np.asarray(model({"blurred": padded[None]})["defocus"])[0, ..., 0]
    assert defocus.dtype == np.float32
    np.testing.assert_allclose(defocus, expected[: size[0], : size[1]], atol=1e-5)


def test_tiles_change_nothing(model, rng):
    image = rng.random((40, 700, 3), dtype=np.float32)
    whole = DefocusEstimator(model, tile=0).estimate(image)
    tiled = DefocusEstimator(model, tile=544).estimate(image)
    assert whole.std() > 0.01
    np.testing.assert_allclose(tiled, whole, atol=1e-5)


def test_a_preset_is_opened_and_another_network_refused(model, rng, tmp_path):
    overrides = {"base_filters": 2}
    presets.save_preset(model, tmp_path / "dmenet", "dmenet", overrides, dtype=None)
    image = rng.random((16, 16, 3), dtype=np.float32)
    expected = DefocusEstimator(model).estimate(image)
    loaded = DefocusEstimator.from_preset(tmp_path / "dmenet")
    np.testing.assert_allclose(loaded.estimate(image), expected, atol=1e-6)
    with pytest.raises(ValueError, match="estimates deblurred"):
        DefocusEstimator(create_model("mdp", base_filters=2))
