"""The tasks of MDP, NRKNet, RDPD and BaMBNet: what they compute, whom they reach."""

import numpy as np
import pytest

from tests.data.batches_test import store
from tests.layers.rdpd_test import naive_distance
from tests.training.tasks_test import images, reached, trainee_of
from tf_defocus.configs import Recipe
from tf_defocus.data.arrays import StoredArrays
from tf_defocus.data.batches import make_batch
from tf_defocus.models import weights
from tf_defocus.models.bambnet import BlurRadiusNetwork, mask_strength
from tf_defocus.training import loop
from tf_defocus.training.objectives import RestorationObjective
from tf_defocus.training.tasks import create_network, create_trainee

MDP = Recipe(
    name="test_mdp",
    model="mdp",
    overrides={"base_filters": 2},
    crop_size=16,
    batch_size=2,
    num_steps=2,
    losses=(("mse", 1.0),),
    tasks=(("views", 1.0), ("mean_view", 0.2), ("view_difference", 0.3)),
    validate_every=100,
)


BAMBNET = Recipe(
    name="test_bambnet",
    model="bambnet",
    overrides={"base_filters": 4, "reduction": 2},
    crop_size=16,
    batch_size=2,
    num_steps=2,
    validate_every=100,
)


_SCALES = (("_quarter", 0.25), ("_half", 0.5), ("", 0.75))


NRKNET = Recipe(
    name="test_nrknet",
    model="nrknet",
    overrides={"base_filters": 4, "num_kernels": 2},
    crop_size=16,
    batch_size=2,
    num_steps=2,
    losses=(("mse", 1.0),),
    tasks=(
        *((f"series{name}", weight) for name, weight in _SCALES),
        *((f"reblurring{n}", weight, (("mse", 1.0),)) for n, weight in _SCALES),
    ),
    validate_every=100,
)


RDPD = Recipe(
    name="test_rdpd",
    model="rdpd",
    overrides={"base_filters": 2, "dropout_rate": 0.0},
    crop_size=16,
    batch_size=2,
    num_steps=2,
    validate_every=100,
)


def test_mdp_compares_its_views_as_the_paper_says():
    batch, trainee = images(16), trainee_of(MDP)
    outputs = trainee(batch, training=True)
    left, right = (np.asarray(outputs[name]) for name in ("left", "right"))
    both = np.stack([left - batch["left"], right - batch["right"]])
    mean = (left + right) / 2 - batch["blurred"]
    difference = (left - right) - (batch["left"] - batch["right"])
    sharp = np.asarray(outputs["deblurred"]) - batch["sharp"]
    terms = [np.mean(np.square(e)) for e in (sharp, both, mean, difference)]
    loss, values = RestorationObjective(MDP)(outputs, batch, 0)
    assert float(loss) == pytest.approx(np.dot(terms, [1, 1, 0.2, 0.3]), rel=1e-4)
    assert float(values["views"]) == pytest.approx(terms[1], rel=1e-4)


@pytest.mark.parametrize("name", ["nrknet", "rdpd"])
def test_a_run_trains_the_network_within_its_tasks(tmp_path, name):
    recipe = {"nrknet": NRKNET, "rdpd": RDPD}[name]
    store(tmp_path / "arrays", count=2, size=16)
    before = trainee_of(recipe).network.get_weights()
    run = loop.train(recipe, tmp_path / "run", tmp_path / "arrays")
    moved = [np.abs(a - b).max() for a, b in zip(run.model.get_weights(), before)]
    assert np.mean(np.array(moved) > 0) > 0.8
    kept = weights.read_weights(tmp_path / "run" / "weights.npz")
    assert set(kept) == set(weights.variable_names(run.model))


def test_frozen_layers_keep_their_weights(tmp_path):
    store(tmp_path / "arrays", count=2, size=16)
    recipe = MDP.replace(frozen=("early_deblurred", "late_deblurred"))
    before = trainee_of(recipe).network
    run = loop.train(recipe, tmp_path / "run", tmp_path / "arrays")
    changed = {
        layer.name
        for layer, other in zip(run.model.layers, before.layers)
        if any(map(np.any, map(np.subtract, layer.get_weights(), other.get_weights())))
    }
    assert {"early_left", "late_right", "conv1_1"} <= changed
    assert not changed & {"early_deblurred", "late_deblurred"}
    with pytest.raises(ValueError, match="no_such_layer"):
        create_network(MDP.replace(frozen=("no_such_layer",)))


def bilinear(image, factor):
    """Of an axis' samples, the mean of the two nearest a cell's middle."""
    for axis in (1, 2):
        middle = np.arange(image.shape[axis] // factor) * factor + factor // 2
        pair = [np.take(image, middle - i, axis=axis) for i in (0, 1)]
        image = sum(pair) / 2 if factor > 1 else image
    return image


def test_nrknets_loss_is_the_series_and_the_reblurring_of_the_paper():
    """Squared errors written out: 0.25, 0.5, 0.75 from coarse to fine."""
    batch, trainee = images(32), trainee_of(NRKNET)
    assert trainee.view_names == ("blurred", "sharp")
    outputs = trainee(batch, training=True)
    network, terms = trainee.network, {}
    for name, factor in (("_quarter", 4), ("_half", 2), ("", 1)):
        sharp = bilinear(batch["sharp"], factor)
        series = np.asarray(outputs[f"series{name}"])
        terms[f"series{name}"] = np.mean(np.square(series - sharp))
        maps = outputs[f"mixing{name}"]
        again = network.reblur(batch["sharp"][:, ::factor, ::factor], maps)
        error = np.asarray(again) - bilinear(batch["blurred"], factor)
        terms[f"reblurring{name}"] = np.mean(np.square(error))
    final = np.asarray(outputs["deblurred"]) - batch["sharp"]
    weights = np.array([0.25, 0.25, 0.5, 0.5, 0.75, 0.75])
    expected = np.mean(np.square(final)) + np.dot(weights, list(terms.values()))
    loss, values = RestorationObjective(NRKNET)(outputs, batch, 0)
    assert float(loss) == pytest.approx(expected, rel=1e-4)
    for name, value in terms.items():
        assert float(values[name]) == pytest.approx(value, rel=1e-4)
    released = NRKNET.replace(tasks=NRKNET.tasks[:3])  # without the reblurring
    loss, _ = RestorationObjective(released)(outputs, batch, 0)
    expected -= np.dot(weights[1::2], list(terms.values())[1::2])
    assert float(loss) == pytest.approx(expected, rel=1e-4)


def test_nrknets_reblurring_keeps_its_own_loss_in_the_turns():
    batch, trainee = images(64), trainee_of(NRKNET)
    outputs = trainee(batch, training=True)
    turns = ((0, (("mae", 1.0),)), (5, (("ssim", 1.0),)))
    objective = RestorationObjective(NRKNET.replace(loss_schedule=turns))
    first, second = (objective(outputs, batch, step)[1] for step in (0, 5))
    assert float(first["reblurring"]) == float(second["reblurring"])
    assert float(first["series"]) != float(second["series"])


def test_nrknets_reblurring_reaches_the_mixture_alone():
    recipe = NRKNET.replace(scale_weights=(0.0,), tasks=NRKNET.tasks[-1:])
    trainee = trainee_of(recipe)
    name = trainee.network.name
    layers = reached(trainee, recipe, images(32))
    assert {f"{name}/prediction", f"{name}/blur"} <= layers


def test_rdpd_is_told_where_its_crops_lie(tmp_path):
    store(tmp_path / "arrays", count=2, size=48)
    arrays = StoredArrays(tmp_path / "arrays")
    trainee = trainee_of(RDPD)
    arrays.require(trainee.view_names)
    batch = make_batch(arrays, RDPD, 0, trainee.view_names)
    assert batch["radial_distance"].shape == (2, 16, 16, 3)
    whole = arrays.read(0, ("left", "radial_distance"))
    distance = naive_distance(48, 48)[..., None].repeat(3, -1) / 255
    np.testing.assert_allclose(whole["radial_distance"], distance, atol=1e-6)
    for index in range(2):  # the crop is found in the frame it was cut from
        crop = batch["radial_distance"][index, ..., 0]
        frame = distance[..., 0]
        windows = np.lib.stride_tricks.sliding_window_view(frame, (16, 16))
        assert np.abs(windows - crop).max((2, 3)).min() < 1e-6
    outputs = trainee(batch, training=True)["deblurred"]
    views = {**batch, "radial_distance": batch["radial_distance"][..., :1]}
    np.testing.assert_allclose(outputs, trainee.network(views)["deblurred"], atol=1e-6)


def test_noise_and_exposure_leave_the_distance_alone(tmp_path):
    store(tmp_path / "arrays", count=2, size=16)
    arrays = StoredArrays(tmp_path / "arrays")
    recipe = RDPD.replace(gain_range=(0.5, 0.5), noise_range=(0.1, 0.1))
    batch = make_batch(arrays, recipe, 0, ("left", "right", "radial_distance"))
    expected = naive_distance(16, 16)[..., None].repeat(3, -1) / 255
    np.testing.assert_allclose(batch["radial_distance"][0], expected, atol=1e-6)


def test_bambnets_branches_are_masked_by_the_radius_less_at_every_call(tmp_path):
    radius = BlurRadiusNetwork(**BAMBNET.overrides)
    radius.build()
    radius.tail.bias.assign([5.0, 0.0, 0.0])
    weights.save_weights(radius, tmp_path / "radius.npz")
    recipe = BAMBNET.replace(blur_radius_weights=str(tmp_path / "radius.npz"))
    trainee, batch = trainee_of(recipe), images(16)
    trainable = {id(w) for w in trainee.trainable_weights}
    assert trainable == {id(w) for w in trainee.network.trainable_weights}
    for step in (0, 15_000, 20_000):
        trainee.calls.assign(step)
        outputs = trainee(batch, training=True)
        assert int(trainee.calls) == step + 1
        views = {**batch, **radius(batch)}
        strength = mask_strength(step)
        expected = trainee.network(views, mask_strength=strength)["deblurred"]
        np.testing.assert_allclose(outputs["deblurred"], expected, atol=1e-6)
        plain = trainee(batch)["deblurred"]
        different = np.abs(outputs["deblurred"] - np.asarray(plain)).max()
        assert (different > 1e-4) == (step < 20_000)


def test_blur_radius_weights_are_bambnets_alone():
    recipe = Recipe(name="test", model="kpac_2level", blur_radius_weights="a.npz")
    with pytest.raises(ValueError, match=r"for a BaMBNet\. Received: kpac_2level"):
        create_trainee(create_network(recipe), recipe)


def test_tasks_of_one_network_are_not_another_ones():
    other = Recipe(name="test", model="kpac_2level", tasks=MDP.tasks)
    both = MDP.replace(reblurring_weight=1.0)
    for recipe in (other, both, MDP.replace(tasks=NRKNET.tasks)):
        with pytest.raises(ValueError, match="tasks are some of"):
            create_trainee(create_network(recipe), recipe)
