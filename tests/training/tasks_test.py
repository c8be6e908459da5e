"""The tasks beside deblurring: what they compute, and whom their gradients reach."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.data.batches_test import store
from tests.layers.rdpd_test import naive_distance
from tests.ops.warping_test import naive_horizontal_warp
from tf_defocus.configs import Recipe
from tf_defocus.data.arrays import StoredArrays
from tf_defocus.data.batches import make_batch
from tf_defocus.models import weights
from tf_defocus.models.bambnet import BlurRadiusNetwork, mask_strength
from tf_defocus.training import checkpoints, loop
from tf_defocus.training.objectives import RestorationObjective
from tf_defocus.training.tasks import (
    create_network,
    create_trainee,
    without_missing_views,
)

IFAN = Recipe(
    name="test_ifan",
    model="ifan_compact",
    overrides={"base_filters": 4, "num_iterations": 2, "num_residual_units": 1},
    crop_size=16,
    batch_size=2,
    num_steps=2,
    optimizer="rectified_adam",
    losses=(("mse", 1.0),),
    disparity_weight=1.0,
    reblurring_weight=1.0,
    reblurring={"num_iterations": 2, "num_residual_units": 1},
    validate_every=100,
)
K3DN = Recipe(
    name="test_k3dn",
    model="k3dn_tiny",
    overrides={
        "base_filters": 4,
        "encoder_residual_units": 1,
        "num_psf_blocks": 1,
        "window_size": (16, 16),
        "pool_size": (5, 5),
        "pad_scale": (128, 128),
        "sharp_region_preservation": False,
    },
    crop_size=128,
    batch_size=1,
    num_steps=2,
    losses=(("charbonnier", 1.0),),
    reblurring_weight=0.5,
    validate_every=100,
)
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
IMAGES = ("blurred", "left", "right", "sharp")


def images(size):
    rng = np.random.default_rng(3)
    return {k: rng.random((2, size, size, 3), dtype=np.float32) for k in IMAGES}


def trainee_of(recipe, **changes):
    keras.utils.set_random_seed(0)
    recipe = recipe.replace(**changes)
    return create_trainee(create_network(recipe), recipe)


def means(image):
    batch, height, width, channels = image.shape
    cells = image.reshape(batch, height // 8, 8, width // 8, 8, channels)
    return cells.mean((2, 4))


def test_disparity_warps_the_right_view_to_the_left():
    batch = images(32)
    trainee = trainee_of(IFAN)
    assert trainee.view_names == ("blurred", "left", "right", "sharp")
    outputs = trainee(batch, training=True)
    alone = trainee.network.estimate_disparity({"blurred": batch["right"]})
    warped = naive_horizontal_warp(means(batch["right"]), np.asarray(alone))
    np.testing.assert_allclose(outputs["disparity"], warped, atol=1e-5)
    np.testing.assert_allclose(
        outputs["disparity_target"], means(batch["left"]), atol=1e-6
    )


def test_dual_disparity_is_that_of_the_pair():
    batch = images(32)
    trainee = trainee_of(IFAN, overrides={**IFAN.overrides, "views": 2})
    outputs = trainee(batch, training=True)
    disparity = np.asarray(outputs["disparity_map"])
    warped = naive_horizontal_warp(means(batch["right"]), disparity)
    np.testing.assert_allclose(outputs["disparity"], warped, atol=1e-5)


@pytest.mark.parametrize("variant", ["paper", "released"])
def test_reblurring_blurs_the_reduced_sharp_image(variant):
    batch = images(32)
    overrides = {**IFAN.overrides, "variant": variant}
    trainee = trainee_of(IFAN, overrides=overrides)
    outputs = trainee(batch, training=True)
    small = means(batch["sharp"])
    if variant == "released":
        small = batch["sharp"][:, ::8, ::8]
    inputs = {"filters": outputs["filters"], "sharp": small}
    expected = trainee.reblurring(inputs)["reblurred"]
    np.testing.assert_allclose(outputs["reblurring"], expected, atol=1e-6)
    target = outputs["reblurring_target"]
    np.testing.assert_allclose(target, means(batch["blurred"]), atol=1e-6)


def reached(trainee, recipe, batch):
    """Names of the layers that a loss of these weights moves."""
    objective = RestorationObjective(recipe)
    with tf.GradientTape() as tape:
        loss, _ = objective(trainee(batch, training=True), batch, 0)
    variables = trainee.trainable_variables
    gradients = tape.gradient(loss, [v.value for v in variables])
    return {
        "/".join(variable.path.split("/")[:2])
        for variable, gradient in zip(variables, gradients)
        if gradient is not None and np.abs(gradient).max() > 0
    }


def test_each_loss_reaches_what_the_paper_says():
    """[IFAN Sec. 3.3] The disparity's stops at the filter encoder."""
    batch, trainee = images(32), trainee_of(IFAN)
    silent = IFAN.replace(losses=(("mse", 1.0),), scale_weights=(0.0,))
    name = trainee.network.name
    disparity = reached(trainee, silent.replace(reblurring_weight=0.0), batch)
    assert disparity == {f"{name}/filter_encoder", f"{name}/disparity_estimator"}
    reblurring = reached(trainee, silent.replace(disparity_weight=0.0), batch)
    assert reblurring == disparity | {
        f"{name}/disparity_features",
        f"{name}/context",
        f"{name}/filter_trunk",
        f"{name}/adaptive_convolution",
        "reblurring/trunk",
        "reblurring/adaptive_convolution",
    }
    alone = IFAN.replace(disparity_weight=0.0, reblurring_weight=0.0)
    deblurring = reached(trainee, alone, batch)
    assert not any(layer.startswith("reblurring/") for layer in deblurring)
    assert f"{name}/feature_encoder" in deblurring


def test_one_clip_spans_the_network_and_the_reblurring():
    trainee = trainee_of(IFAN)
    count = len(trainee.network.trainable_variables)
    others = len(trainee.reblurring.trainable_variables)
    assert others > 0
    assert len(trainee.trainable_variables) == count + others


def test_k3dn_blurs_the_sharp_image_towards_the_mean_of_the_views():
    """[K3DN Eq. 17]"""
    batch = images(128)
    trainee = trainee_of(K3DN)
    outputs = trainee(batch, training=True)
    expected = trainee.network.reblur(batch["sharp"], outputs["disparity_vectors"])
    np.testing.assert_allclose(outputs["reblurring"], expected, atol=1e-5)
    mean = (batch["left"] + batch["right"]) / 2
    np.testing.assert_allclose(outputs["reblurring_target"], mean, atol=1e-6)


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


def test_a_run_trains_the_reblurring_and_keeps_only_the_network(tmp_path):
    store(tmp_path / "arrays", count=2, size=16)
    run = loop.train(IFAN, tmp_path / "run", tmp_path / "arrays")
    with np.load(tmp_path / "run" / checkpoints.CHECKPOINT) as state:
        assert any(name.startswith("model/reblurring/") for name in state.files)
    kept = weights.read_weights(tmp_path / "run" / "weights.npz")
    assert set(kept) == set(weights.variable_names(run.model))


def test_a_second_stage_trains_the_preservation_blocks_alone(tmp_path):
    store(tmp_path / "arrays", count=2, size=128)
    first = loop.train(K3DN, tmp_path / "first", tmp_path / "arrays")
    before = weights.read_weights(tmp_path / "first" / "weights.npz")
    recipe = K3DN.replace(
        second_stage=True,
        reblurring_weight=0.0,
        initial_run="first",
        overrides={**K3DN.overrides, "reblurring": False}
        | {"sharp_region_preservation": True},
    )
    loop.train(recipe, tmp_path / "second", tmp_path / "arrays", stop_after=1)
    second = loop.train(recipe, tmp_path / "second", tmp_path / "arrays")
    assert not first.model.sharp_region_preservation
    assert second.step == 2
    after = weights.read_weights(tmp_path / "second" / "weights.npz")
    added = set(after) - set(before)
    assert added and all(name.startswith("srp") for name in added)
    for name, array in before.items():
        np.testing.assert_array_equal(after[name], array, err_msg=name)


def test_a_second_stage_needs_a_first_one(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"first/weights\.npz, .* train that"):
        create_network(K3DN.replace(initial_run="first"), tmp_path)
    with pytest.raises(ValueError, match="needs initial_run"):
        create_network(K3DN.replace(second_stage=True))


def test_without_views_disparity_is_left_out_and_said(capsys):
    recipe = without_missing_views(IFAN, ("blurred", "sharp"))
    assert recipe.disparity_weight == 0 and recipe.reblurring_weight == 1
    assert recipe.overrides["use_disparity"] is False
    assert "without the task of disparity" in capsys.readouterr().out
    assert without_missing_views(IFAN, IMAGES) is IFAN
    outputs = create_trainee(create_network(recipe), recipe)(images(16), training=True)
    assert "disparity" not in outputs and "reblurring" in outputs


def test_missing_images_are_refused(tmp_path):
    store(tmp_path / "arrays", count=2, size=128)
    (tmp_path / "arrays" / "left.npy").unlink()
    assert StoredArrays(tmp_path / "arrays").kinds == ("blurred", "right", "sharp")
    with pytest.raises(ValueError, match=r"needs \['left'\] of every example"):
        loop.train(K3DN, tmp_path / "run", tmp_path / "arrays")


def test_tasks_of_another_network_are_refused():
    recipe = Recipe(name="test", model="kpac_2level", reblurring_weight=1.0)
    with pytest.raises(ValueError, match=r"for an IFAN .*Received: kpac_2level"):
        create_trainee(create_network(recipe), recipe)


def test_tasks_of_one_network_are_not_another_ones():
    other = Recipe(name="test", model="kpac_2level", tasks=MDP.tasks)
    both = MDP.replace(reblurring_weight=1.0)
    for recipe in (other, both, MDP.replace(tasks=NRKNET.tasks)):
        with pytest.raises(ValueError, match="tasks are some of"):
            create_trainee(create_network(recipe), recipe)


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
