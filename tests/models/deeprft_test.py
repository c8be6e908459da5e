"""DeepRFT against the authors' recorded tensors, its counts, forms and windows."""

import numpy as np
import pytest
from keras import ops

import tf_defocus
from tests.testing import (
    assert_agrees,
    fill_with_waves,
    golden_file,
    official_weights,
    reference_file,
)
from tf_defocus import losses
from tf_defocus.configs import get_recipe
from tf_defocus.models.deeprft import DeepRFT, restore_in_windows, window_corners
from tf_defocus.ops.resizing import halve_binomial
from tf_defocus.training.objectives import RestorationObjective

SCALES = {
    "output": "deblurred",
    "output_2": "deblurred_half",
    "output_4": "deblurred_quarter",
}


@pytest.fixture(scope="module")
def vectors():
    return reference_file("deeprft.npz")


@pytest.fixture(scope="module")
def recorded(vectors):
    model = tf_defocus.create_model(
        "deeprft", base_filters=8, num_residual_units=2, variant="released"
    )
    tf_defocus.conversion.load_official(model, official_weights(vectors))
    return model


def test_every_scale_agrees_with_the_authors(recorded, vectors):
    outputs = recorded({"blurred": vectors["in/image"]})
    assert list(outputs) == list(SCALES.values())
    for key, name in SCALES.items():
        assert_agrees(outputs[name], vectors, key)


def through(chain, features):
    for layer in chain:
        features = layer(features)
    return features


def test_every_recorded_intermediate_agrees_with_the_authors(recorded, vectors):
    image = vectors["in/image"]
    half, quarter = image[:, ::2, ::2], image[:, ::4, ::4]
    found = {}
    for name, index, small in (("scm2", 0, half), ("scm1", 1, quarter)):
        shallow, mixing = recorded.image_features[index]
        own = np.concatenate([small, through(shallow, small)], axis=-1)
        found[name] = mixing(own)
    found["feat0"] = recorded.entrances[0](image)
    first = recorded.encoders[0][0]
    found["enc0_block0_fft"] = first.filtered_spectrum(found["feat0"])
    found["enc0_block0"] = first(found["feat0"])
    found["enc0"] = through(recorded.encoders[0], found["feat0"])
    entered = recorded.entrances[1](found["enc0"])
    found["fam2"] = recorded._attend(0, entered, half)
    found["enc1"] = through(recorded.encoders[1], found["fam2"])
    entered = recorded.entrances[2](found["enc1"])
    found["fam1"] = recorded._attend(1, entered, quarter)
    found["enc2"] = through(recorded.encoders[2], found["fam1"])
    (found["aff0"], found["aff1"]), _ = recorded._encode(image, half, quarter)
    found["dec0"] = through(recorded.decoders[0], found["enc2"])
    found["up0"] = recorded.upsamplings[0](found["dec0"])
    joined = ops.concatenate([found["up0"], found["aff1"]], axis=-1)
    found["convs0"] = recorded.mergings[0](joined)
    found["dec1"] = through(recorded.decoders[1], found["convs0"])
    rising = recorded.upsamplings[1](found["dec1"])
    joined = ops.concatenate([rising, found["aff0"]], axis=-1)
    found["dec2"] = through(recorded.decoders[2], recorded.mergings[1](joined))
    keys = [key for key in vectors.files if key.startswith("mid/")]
    assert len(keys) == len(found) == 17
    for key in keys:
        assert_agrees(found[key.removeprefix("mid/")], vectors, key)


def test_folded_network_is_the_same_function(recorded, vectors):
    official = np.transpose(recorded.entrances[1].folded_kernel(), (3, 2, 0, 1))
    assert_agrees(official, vectors, "op/fused_kernel")
    plain = recorded.folded()
    assert not plain.overparameterized
    assert plain.count_params() < recorded.count_params()
    outputs = plain({"blurred": vectors["in/image"]})
    for key, name in SCALES.items():
        assert_agrees(outputs[name], vectors, key)


def test_windowed_result_agrees_with_the_authors(recorded, vectors):
    image = vectors["in/tile_image"][0]
    corners = window_corners(*image.shape[:2], 32)
    windows = [image[y : y + 32, x : x + 32] for y, x in corners]
    assert_agrees(np.stack(windows), vectors, "op/windows")
    restored = restore_in_windows(recorded, image, 32)
    assert_agrees(restored[None], vectors, "windowed/output")
    whole = recorded({"blurred": image[None]})["deblurred"]
    assert_agrees(whole, vectors, "windowed/whole_image_output")
    assert np.abs(np.asarray(whole)[0] - restored).max() > 0.01


@pytest.mark.parametrize("size", [(32, 64), (33, 64), (70, 95)])
def test_windows_cover_every_pixel_once(size):
    def offset(inputs):
        return {"deblurred": inputs["blurred"] + 1}

    image = np.random.default_rng(0).random((*size, 3), dtype=np.float32)
    np.testing.assert_array_equal(restore_in_windows(offset, image, 32), image + 1)


def test_an_image_smaller_than_a_window_is_refused():
    with pytest.raises(ValueError, match=r"at least 512x512\. Received: 511x600"):
        window_corners(511, 600)


def test_loss_terms_agree_with_the_authors(vectors):
    sharp, totals = vectors["in/target"], []
    for scale, key in enumerate(SCALES):
        if scale > 0:
            sharp = halve_binomial(sharp)
            assert_agrees(sharp, vectors, f"op/target_{2**scale}")
        for name, loss in (
            ("char", losses.CharbonnierLoss()),
            ("edge", losses.EdgeLoss()),
            ("fft", losses.FourierLoss()),
        ):
            expected = vectors[f"loss/{name}"][scale]
            assert float(loss(sharp, vectors[key])) == pytest.approx(expected, rel=1e-4)
            totals.append(expected)
    recipe = get_recipe("deeprft_paper")
    outputs = {name: vectors[key] for key, name in SCALES.items()}
    loss, _ = RestorationObjective(recipe)(outputs, {"sharp": vectors["in/target"]})
    assert float(loss) == pytest.approx(float(vectors["loss/total"][0]), rel=1e-4)


COUNTS = [
    ({}, 10_189_449),
    ({"overparameterized": False}, 9_551_088),
    ({"num_residual_units": 4}, 5_426_313),
    ({"num_residual_units": 4, "overparameterized": False}, 5_078_256),
    ({"num_residual_units": 20, "overparameterized": False}, 22_969_584),
]


@pytest.mark.parametrize(("overrides", "count"), COUNTS)
def test_parameter_count_equals_the_authors(overrides, count):
    assert tf_defocus.create_model("deeprft", **overrides).count_params() == count


def test_golden_output_is_unchanged():
    with np.load(golden_file("deeprft.npz"), allow_pickle=False) as golden:
        model = DeepRFT(4, 1)
        model.build()
        fill_with_waves(model)
        outputs = model({"blurred": golden["blurred"]})
        for name in SCALES.values():
            assert golden[name].std() > 0.1
            np.testing.assert_allclose(
                outputs[name], golden[name], atol=1e-4, rtol=2e-6
            )


@pytest.mark.parametrize(
    "argument",
    [{"base_filters": 1}, {"num_residual_units": 0}, {"variant": "code"}],
    ids=str,
)
def test_unknown_argument_is_refused(argument):
    with pytest.raises(ValueError, match=next(iter(argument))):
        tf_defocus.create_model("deeprft", **argument)
