"""The tasks beside deblurring of IFAN and K3DN: what they compute, whom they reach."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.data.batches_test import store
from tests.ops.warping_test import naive_horizontal_warp
from tf_defocus.configs import Recipe
from tf_defocus.data.arrays import StoredArrays
from tf_defocus.models import weights
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
