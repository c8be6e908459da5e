"""INIKNet against the authors' recorded tensors, its counts and contract."""

import numpy as np
import pytest

import tf_defocus
from tests.testing import (
    assert_agrees,
    fill_with_waves,
    golden_file,
    official_weights,
    reference_file,
)
from tf_defocus.configs import get_recipe
from tf_defocus.layers.iniknet_kernels import kernel_coordinates
from tf_defocus.models.iniknet import INIKNet
from tf_defocus.ops.resizing import reduce_bilinear
from tf_defocus.training.objectives import RestorationObjective

SCALES = {
    "output": "deblurred",
    "output_2": "deblurred_half",
    "output_4": "deblurred_quarter",
}
SMALL = {"base_filters": 2, "num_bases": 2, "max_kernel_size": 5, "hidden_units": 4}


@pytest.fixture(scope="module")
def vectors():
    return reference_file("iniknet.npz")


@pytest.fixture(scope="module")
def recorded(vectors):
    model = tf_defocus.create_model(
        "iniknet",
        base_filters=8,
        num_bases=4,
        max_kernel_size=7,
        hidden_units=16,
        num_residual_units=1,
        variant="released",
    )
    tf_defocus.conversion.load_official(model, official_weights(vectors))
    return model


def test_every_scale_agrees_with_the_authors(recorded, vectors):
    outputs = recorded({"blurred": vectors["in/image"]})
    assert list(outputs) == list(SCALES.values())
    for key, name in SCALES.items():
        assert_agrees(outputs[name], vectors, key)


def all_maps(summation, image):
    """Group-major, then colour, then basis; the group without a kernel is zero."""
    nothing = np.zeros((*image.shape[:3], 3 * summation.num_bases), "float32")
    found = [nothing]
    for size in summation.sizes:
        found += [np.asarray(maps) for maps in summation.filtered(image, size)]
    return np.concatenate(found, axis=-1)


def test_every_recorded_intermediate_agrees_with_the_authors(recorded, vectors):
    image = vectors["in/image"]
    images = [np.asarray(reduce_bilinear(image, n)) for n in (4, 2)] + [image]
    features = [recorded.features(each) for each in images]
    sizes, bases = recorded.weights_of(features)
    back, hidden = recorded.basis_scales.hidden_states(features)
    found = {"s4/unet_deep": recorded.features.encode(images[0])[-1]}
    for index, scale in enumerate(("s4", "s2", "s1")):
        found |= {
            f"{scale}/unet": features[index],
            f"{scale}/scale_weights": sizes[index],
            f"{scale}/basis": bases[index],
            f"{scale}/basis_lstm_back_h": back[index],
            f"{scale}/basis_lstm_h": hidden[index],
            f"{scale}/inr_maps": all_maps(recorded.summation, images[index]),
        }
    keys = [key for key in vectors.files if key.startswith(("s1/", "s2/", "s4/"))]
    assert len(keys) == len(found) == 19
    for key in keys:
        assert_agrees(found[key.split("@")[0]], vectors, key)


@pytest.mark.parametrize("size", [3, 7])
def test_kernels_agree_with_the_authors(recorded, vectors, size):
    assert_agrees(kernel_coordinates(size), vectors, f"op/coordinates_{size}")
    assert_agrees(recorded.summation.kernels(size), vectors, f"op/kernels_{size}")


def test_parameter_count_equals_the_authors():
    model = tf_defocus.create_model("iniknet")
    assert model.count_params() == 1_976_847


def test_targets_are_reduced_as_the_inputs_are(rng):
    sharp = rng.random((1, 16, 32, 3), dtype=np.float32)
    outputs = {
        "deblurred": sharp,
        "deblurred_half": reduce_bilinear(sharp, 2),
        "deblurred_quarter": reduce_bilinear(sharp, 4),
    }
    objective = RestorationObjective(get_recipe("iniknet_paper"))
    loss, _ = objective(outputs, {"sharp": sharp})
    assert float(loss) == 0
    middle = sharp[:, 1:3, 5:7].mean((1, 2))
    np.testing.assert_allclose(outputs["deblurred_quarter"][:, 0, 1], middle, rtol=1e-5)


def test_nothing_beyond_the_receptive_field_matters(rng):
    model = INIKNet(**SMALL, num_residual_units=1)
    model.build()
    reach = model.receptive_field // 2
    width = -(-(2 * reach + 48) // 16) * 16
    image = rng.random((1, 16, width, 3), dtype=np.float32)
    changed = image.copy()
    changed[:, :, :16] = 0
    difference = np.abs(
        np.asarray(model({"blurred": image})["deblurred"])
        - model({"blurred": changed})["deblurred"]
    ).max(axis=(0, 1, 3))
    assert np.max(difference[16 + reach :]) == 0
    assert np.max(difference[16:]) > 0


def test_features_reach_as_far_as_the_receptive_field_counts():
    unet = INIKNet(**SMALL, num_residual_units=1).features
    unet.build((None, None, None, 3))
    for weight in unet.weights:
        weight.assign(np.full(weight.shape, 0.2, "float32"))
    image = np.zeros((4, 16, 128, 3), "float32")
    phases = np.arange(4)
    image[phases, 8, 64 + phases] = 1
    reached = (np.asarray(unet(image)) > 0).any(axis=(1, 3))
    distances = [
        np.abs(np.flatnonzero(row) - 64 - phase).max()
        for row, phase in zip(reached, phases)
    ]
    assert 30 < max(distances) <= 20 * 1 + 20


def test_golden_output_is_unchanged():
    with np.load(golden_file("iniknet.npz"), allow_pickle=False) as golden:
        model = tf_defocus.create_model("iniknet", **SMALL)
        fill_with_waves(model)
        outputs = model({"blurred": golden["blurred"]})
        for name in SCALES.values():
            assert np.std(golden[name]) > 0.1
            np.testing.assert_allclose(
                outputs[name], golden[name], atol=1e-4, rtol=2e-6
            )


@pytest.mark.parametrize(
    "argument",
    [
        {"base_filters": 0},
        {"num_bases": 0},
        {"max_kernel_size": 4},
        {"hidden_units": 0},
        {"num_residual_units": 0},
        {"variant": "code"},
    ],
    ids=str,
)
def test_unknown_argument_is_refused(argument):
    with pytest.raises(ValueError, match=next(iter(argument))):
        tf_defocus.create_model("iniknet", **argument)
