"""The loop: resuming, devices, accumulation, clipping, averaged weights."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest

from tests.data.batches_test import store
from tests.testing import ROOT
from tf_defocus.configs import Recipe, get_recipe
from tf_defocus.models import create_model, presets, weights
from tf_defocus.training import checkpoints, loop

RECIPE = Recipe(
    name="test",
    model="kpac_2level",
    overrides={"base_filters": 4, "num_blocks": 1},
    crop_size=16,
    batch_size=4,
    num_steps=6,
    learning_rate=1e-2,
    decay="cosine",
    clip_norm=0.02,
    ema_decay=0.5,
    flip_probability=0.5,
    color_permutation=True,
    noise_range=(0.0, 0.02),
    validate_every=3,
    checkpoint_every=2,
    log_every=2,
    num_validation=2,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("arrays")
    store(folder / "train")
    store(folder / "validation", count=2)
    return folder / "train", folder / "validation"


def checkpoint(folder):
    with np.load(folder / checkpoints.CHECKPOINT, allow_pickle=False) as state:
        return {k: state[k] for k in state.files}


def assert_same_state(one, other, atol):
    assert set(one) == set(other)
    for key, value in one.items():
        if value.dtype.kind == "f":
            np.testing.assert_allclose(value, other[key], atol=atol, err_msg=key)


def test_a_stopped_and_resumed_run_gives_the_same_weights(data, tmp_path):
    loop.train(RECIPE, tmp_path / "whole", *data)
    stopped = loop.train(RECIPE, tmp_path / "parts", *data, stop_after=3)
    assert stopped.step == 3
    loop.train(RECIPE, tmp_path / "parts", *data)
    whole, parts = (checkpoint(tmp_path / name) for name in ("whole", "parts"))
    assert int(whole["step"]) == int(parts["step"]) == 6
    assert_same_state(whole, parts, atol=0)


def test_kpacs_second_stage_takes_perceptual_steps_and_resumes(
    data, tmp_path, vgg_file
):
    """[KPAC Sec. 4], with random weights of VGG-19."""
    small = {"overrides": RECIPE.overrides, "crop_size": 16, "batch_size": 2}
    first = get_recipe("kpac_2level_stage_a").replace(num_steps=1, **small)
    loop.train(first, tmp_path / first.name, *data)
    recipe = get_recipe("kpac_2level_stage_b").replace(
        num_steps=2, log_every=1, vgg19_weights=vgg_file, **small
    )
    loop.check_files(recipe, tmp_path / "whole")
    loop.train(recipe, tmp_path / "whole", *data)
    loop.train(recipe, tmp_path / "parts", *data, stop_after=1)
    loop.train(recipe, tmp_path / "parts", *data)
    whole, parts = (checkpoint(tmp_path / name) for name in ("whole", "parts"))
    assert_same_state(whole, parts, atol=0)
    lines = (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()
    logged = [line for line in map(json.loads, lines) if "perceptual" in line]
    assert len(logged) == 2
    for line in logged:
        total = line["mae"] + 7e-4 * line["perceptual"]
        assert line["loss"] == pytest.approx(total, rel=1e-5)
        assert line["perceptual"] > 0


@pytest.mark.parametrize("name", ["kpac_2level_stage_b", "drbnet_dpdd"])
def test_files_that_are_missing_are_named_before_the_data_are_read(name, tmp_path):
    recipe = get_recipe(name).replace(initial_run="")
    with pytest.raises(FileNotFoundError, match="--vgg19_weights FILE, the vgg19"):
        loop.check_files(recipe, tmp_path / "run")
    file = tmp_path / "vgg.npz"
    np.savez(file, other=np.zeros(1))
    with pytest.raises(ValueError, match="must hold conv1_1"):
        loop.check_files(recipe.replace(vgg19_weights=str(file)), tmp_path / "run")
    recipe = get_recipe("kpac_2level_stage_b")
    with pytest.raises(FileNotFoundError, match=r"kpac_2level_stage_a/weights\.npz"):
        loop.check_files(recipe, tmp_path / "run")


def spoil(monkeypatch, steps, of_loss=np.nan, of_gradient=np.nan):
    """Multiplies the loss and its gradient in some steps; they count from 0."""
    tf = pytest.importorskip("tensorflow", reason="spoils TensorFlow's gradient")

    class Spoilt(loop.RestorationObjective):
        def __call__(self, outputs, batch, step):
            loss, terms = super().__call__(outputs, batch, step)
            here = tf.reduce_any(tf.cast(step, "int32") == list(steps))

            @tf.custom_gradient
            def scale(loss):
                factors = [tf.where(here, f, 1.0) for f in (of_loss, of_gradient)]
                return factors[0] * loss, lambda upstream: factors[1] * upstream

            return scale(loss), terms

    monkeypatch.setattr(loop, "RestorationObjective", Spoilt)


@pytest.mark.parametrize("of_loss", [1.0, np.nan])
def test_single_steps_that_are_not_finite_are_left_out(
    data, tmp_path, monkeypatch, capsys, of_loss
):
    spoil(monkeypatch, [2, 4], of_loss=of_loss)
    loop.train(RECIPE, tmp_path / "spoilt", *data)
    assert capsys.readouterr().out.count("left out") == 2
    spoil(monkeypatch, [2, 4], of_loss=1.0, of_gradient=0.0)
    loop.train(RECIPE, tmp_path / "zero", *data)
    spoilt, zero = (checkpoint(tmp_path / name) for name in ("spoilt", "zero"))
    assert_same_state(spoilt, zero, atol=0)


@pytest.mark.parametrize("statistics_too", [False, True])
def test_a_run_that_diverges_keeps_the_checkpoint_from_before(
    data, tmp_path, monkeypatch, statistics_too
):
    spoil(monkeypatch, range(3, 20))
    if statistics_too:
        spoilt = keras.Variable([np.nan], trainable=False)
        monkeypatch.setattr(keras.Model, "non_trainable_variables", [spoilt])
    step = 4 if statistics_too else 3 + loop.MAX_FAILED_STEPS
    recipe = RECIPE.replace(num_steps=20, checkpoint_every=3)
    with pytest.raises(FloatingPointError, match=f"At step {step} the loss is"):
        loop.train(recipe, tmp_path, *data)
    state = checkpoint(tmp_path)
    assert int(state["step"]) == (step - 1) // 3 * 3
    for key, value in state.items():
        assert value.dtype.kind != "f" or np.isfinite(value).all(), key


def test_accumulation_gives_the_step_of_the_whole_batch(data, tmp_path):
    loop.train(RECIPE, tmp_path / "whole", *data)
    loop.train(RECIPE.replace(accumulation_steps=2), tmp_path / "halves", *data)
    whole, halves = (checkpoint(tmp_path / name) for name in ("whole", "halves"))
    del whole["recipe"], halves["recipe"]
    assert_same_state(whole, halves, atol=2e-6)


MIRRORED = """
import sys, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2
)
from tests.training.loop_test import RECIPE
from tf_defocus.training import loop
assert len(tf.config.list_logical_devices("CPU")) == 2
recipe = RECIPE.replace(accumulation_steps=2)
loop.train(recipe, sys.argv[1], *sys.argv[2:], strategy="mirrored")
"""


def test_two_devices_equal_one_with_clipping_and_accumulation(data, tmp_path):
    command = [sys.executable, "-c", MIRRORED, tmp_path / "two", *data]
    result = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert "remapper failed" not in result.stderr  # of TensorFlow's graph optimizer
    loop.train(RECIPE.replace(accumulation_steps=2), tmp_path / "one", *data)
    lines = (tmp_path / "one" / "metrics.jsonl").read_text().splitlines()
    norms = [json.loads(line).get("gradient_norm", 0) for line in lines]
    assert max(norms) > RECIPE.clip_norm  # clipping was on
    one, two = (
        weights.read_weights(tmp_path / n / "weights.npz") for n in ("one", "two")
    )
    for name in one:
        np.testing.assert_allclose(two[name], one[name], atol=1e-6, err_msg=name)
    config = json.loads((tmp_path / "two" / "config.json").read_text())
    assert config["devices"] == 2


def test_jax_leaves_out_gradients_that_are_not_finite():
    pytest.importorskip("jax", reason="needs JAX: pip install tf-defocus[jax]")
    from tf_defocus.training.jax_step import JaxStep

    step = object.__new__(JaxStep)
    step.recipe = RECIPE.replace(clip_norm=1.0)
    zeros, norm = step._clip([np.array([np.inf, 1.0]), np.ones(3)])
    assert not np.isfinite(norm)
    np.testing.assert_array_equal(np.concatenate(zeros), np.zeros(5))
    clipped, norm = step._clip([np.array([3.0, 4.0])])
    assert norm == 5
    np.testing.assert_allclose(clipped[0], [0.6, 0.8], rtol=1e-6)


@pytest.mark.jax
def test_a_run_begun_on_tensorflow_continues_on_jax(data, tmp_path):
    pytest.importorskip("jax", reason="needs JAX: pip install tf-defocus[jax]")
    loop.train(RECIPE, tmp_path / "tensorflow", *data)
    loop.train(RECIPE, tmp_path / "both", *data, stop_after=3)
    script = (
        "import sys; from tests.training.loop_test import RECIPE; "
        "from tf_defocus.training import loop; loop.train(RECIPE, *sys.argv[1:])"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "both", *data],
        env={**__import__("os").environ, "KERAS_BACKEND": "jax"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    one, other = (checkpoint(tmp_path / n) for n in ("tensorflow", "both"))
    assert int(other["step"]) == 6
    assert_same_state(one, other, atol=1e-4)


def test_saved_weights_are_the_moving_average(data, tmp_path):
    """ema_t = d ema_{t-1} + (1 - d) w_t, from the weights after the first step."""
    recipe = RECIPE.replace(num_steps=2, decay="constant")
    loop.train(recipe, tmp_path / "one", *data, stop_after=1)
    first = checkpoint(tmp_path / "one")
    run = loop.train(recipe, tmp_path / "one", *data)
    second = checkpoint(tmp_path / "one")
    averaged = weights.read_weights(tmp_path / "one" / "weights.npz")
    path = run.model.residual.bias.path
    expected = 0.5 * first[f"model/{path}"] + 0.5 * second[f"model/{path}"]
    name = path.partition("/")[2]
    np.testing.assert_allclose(averaged[name], expected, atol=1e-7)
    assert np.abs(second[f"model/{path}"] - expected).max() > 1e-5


def test_a_run_folder_is_a_preset(data, tmp_path):
    loop.train(RECIPE.replace(num_steps=1), tmp_path / "run", *data)
    model = presets.load_preset(tmp_path / "run")
    stored = weights.read_weights(tmp_path / "run" / "weights.npz")
    np.testing.assert_array_equal(model.residual.bias, stored["conv8/bias"])


def test_weights_of_the_highest_validation_are_kept(data, tmp_path, monkeypatch):
    """Even if it lies before a stop."""
    psnrs = iter([20.0, 22.0, 21.0, 21.5])
    monkeypatch.setattr(
        loop,
        "validate",
        lambda *_: ({"validation_psnr_capped": next(psnrs)}, np.zeros((0, 1, 1, 3))),
    )
    recipe = RECIPE.replace(
        ema_decay=0.5, num_steps=4, validate_every=1, checkpoint_every=1
    )
    kept = []
    for stop in (2, 4):
        loop.train(recipe, tmp_path, *data, stop_after=stop)
        kept.append((tmp_path / "weights_best.npz").read_bytes())
        last = (tmp_path / "weights.npz").read_bytes()
        assert (kept[-1] == last) == (stop == 2)
    assert kept[0] == kept[1]
    assert checkpoint(tmp_path)["best_psnr"] == 22.0
    best, end = presets.load_run(tmp_path, best=True), presets.load_run(tmp_path)
    assert not np.array_equal(best.get_weights()[0], end.get_weights()[0])


def test_another_recipe_does_not_continue_a_run(data, tmp_path):
    loop.train(RECIPE.replace(num_steps=1), tmp_path / "run", *data)
    with pytest.raises(ValueError, match="another recipe"):
        loop.train(RECIPE.replace(seed=1), tmp_path / "run", *data)


def test_batches_that_do_not_divide_are_refused(data, tmp_path):
    with pytest.raises(ValueError, match="batch_size=4"):
        loop.train(RECIPE.replace(accumulation_steps=3), tmp_path / "run", *data)


def test_training_overfits_one_crop(tmp_path):
    """Fifteen decibels below the input's error: the gradient reaches every layer."""
    images = store(tmp_path / "a", count=1, size=16)
    sharp = images["sharp"] // 2 + 8192
    np.save(tmp_path / "a" / "sharp.npy", sharp)
    np.save(tmp_path / "a" / "blurred.npy", sharp // 2 + 16384)
    recipe = RECIPE.replace(
        batch_size=1,
        num_steps=150,
        flip_probability=0.0,
        color_permutation=False,
        noise_range=(0.0, 0.0),
        clip_norm=0.0,
        ema_decay=0.0,
        overrides={"base_filters": 8, "num_blocks": 1},
    )
    loop.train(recipe, tmp_path / "run", tmp_path / "a")
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    psnr = [json.loads(line)["psnr"] for line in lines]
    assert psnr[-1] > psnr[0] + 10


def test_initialization_averages_the_views(rng):
    single = create_model("kpac_3level", base_filters=4)
    dual = create_model("kpac_3level_dual", base_filters=4)
    names = weights.variable_names(single)
    arrays = {n: rng.normal(size=w.shape) for n, w in zip(names, single.weights)}
    weights.initialize_from(dual, arrays)
    kernel = np.asarray(dual.encoder[0][0].kernel)
    np.testing.assert_allclose(
        kernel[:, :, :3], arrays["conv1_1/kernel"] / 2, atol=1e-6
    )
    np.testing.assert_allclose(
        kernel[:, :, 3:], arrays["conv1_1/kernel"] / 2, atol=1e-6
    )
    np.testing.assert_allclose(dual.residual.bias, arrays["conv8/bias"], atol=1e-6)
    del arrays["conv8/bias"]
    with pytest.raises(ValueError, match="conv8/bias"):
        weights.initialize_from(dual, arrays)
