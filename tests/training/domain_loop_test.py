"""DMENet's training: one step against its definition, and a run that goes on."""

import keras
import numpy as np
import pytest

from tf_defocus.configs.dmenet import PAPER
from tf_defocus.data.domains import KINDS, make_domain_batch, store_domain
from tf_defocus.models import load_preset, weights

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="its step is TensorFlow's"
)

from tf_defocus.training import domain_loop  # noqa: E402
from tf_defocus.training.domain_tensorflow_step import DomainStep  # noqa: E402

# With so large an epsilon and rate, a first step of Adam shows the gradient's size.
SETTINGS = PAPER.replace(
    overrides={"base_filters": 4},
    crop_size=32,
    shortest_side=32,
    longest_side=64,
    batch_size=2,
    learning_rate=1.0,
    epsilon=1.0,
    discriminator_weight=0.5,
    weights=(
        ("defocus", 1.0),
        ("auxiliary", 0.5),
        ("binary", 0.25),
        ("adversarial", 0.75),
    ),
)


@pytest.fixture(scope="module")
def domains(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("domains"), np.random.default_rng(0)
    known = {
        "rendered": lambda: {"blur_map": 15 * rng.random((40, 50, 1), np.float32)},
        "marked": lambda: {"mask": 255 * rng.integers(0, 2, (40, 50, 1), np.uint8)},
        "unmarked": dict,
    }
    return {
        kind: store_domain(
            kind,
            [
                {"blurred": rng.integers(0, 256, (40, 50, 3), np.uint8), **target()}
                for _ in range(3)
            ],
            {"dataset": "noise"},
            SETTINGS,
            folder / kind,
        )
        for kind, target in known.items()
    }


@pytest.fixture
def eagerly():
    """Without tracing, which takes most of the time of a few small steps."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def values_of(network):
    return {v.path: np.array(v) for v in network.trainable_variables}


def first_adam_step(value, gradient, settings):
    """Adam at step 1, in plain NumPy."""
    mean = (1 - settings.beta_1) * gradient
    square = (1 - settings.beta_2) * gradient**2
    rate = settings.learning_rate * np.sqrt(1 - settings.beta_2) / (1 - settings.beta_1)
    return value - rate * mean / (np.sqrt(square) + settings.epsilon)


def cross_entropy(logits, target):
    targets = tf.fill(tf.shape(logits), float(target))
    found = tf.nn.sigmoid_cross_entropy_with_logits(targets, logits)
    return tf.reduce_mean(found)


def nearest(image, scale):
    """Aligned corners: source round(i (n - 1) / (m - 1)) of n to m rows."""
    rows = image.shape[1] // scale
    places = np.floor(np.arange(rows) * (image.shape[1] - 1) / (rows - 1) + 0.5)
    places = places.astype(int)
    return image[:, places][:, :, places]


def reference_step(networks, batch, settings):
    """The same step from its definition: dict of paths and values after it.

    Leaves the networks' trainable variables as they were.
    """
    weigh = dict(settings.weights)
    critic = networks.discriminator
    before = {k: values_of(n) for k, n in named(networks).items()}
    after = {}
    with tf.GradientTape(persistent=True) as tape:
        outputs = {
            k: networks.estimator({"blurred": batch[k]}, training=True) for k in KINDS
        }
        judged = {
            k: critic(tf.stop_gradient(outputs[k]["features"]), training=True)
            for k in KINDS
        }
        loss = settings.discriminator_weight * (
            cross_entropy(judged["rendered"], 1)
            + 0.5 * cross_entropy(judged["marked"], 0)
            + 0.5 * cross_entropy(judged["unmarked"], 0)
        )
        critics = critic.trainable_variables
        gradients = tape.gradient(loss, [v.value for v in critics])
        for variable, gradient in zip(critics, gradients):
            value = first_adam_step(np.array(variable), gradient.numpy(), settings)
            after[variable.path] = value
            variable.assign(value)
        target = batch["rendered_target"]
        found = outputs["rendered"]
        main = weigh["defocus"] * tf.reduce_mean((found["defocus"] - target) ** 2)
        for scale in (1, 2, 4, 8):
            error = found[f"auxiliary_{scale}"] - nearest(target, scale)
            main += weigh["auxiliary"] * tf.reduce_mean(error**2)
        error = found["auxiliary_16"] - nearest(target, 16)
        main += weigh["auxiliary"] * tf.reduce_mean(error**2)
        logits = networks.binary(outputs["marked"]["defocus"], training=True)
        mask = batch["marked_target"]
        chance = tf.sigmoid(logits)
        likelihood = mask * tf.math.log(chance) + (1 - mask) * tf.math.log(1 - chance)
        main -= weigh["binary"] * tf.reduce_mean(likelihood)
        for kind in ("marked", "unmarked"):
            logits = critic(outputs[kind]["features"], training=True)
            main += weigh["adversarial"] * cross_entropy(logits, 1) / 2
    taught = networks.taught
    gradients = tape.gradient(main, [v.value for v in taught])
    for variable, gradient in zip(taught, gradients):
        value = np.array(variable)
        after[variable.path] = first_adam_step(value, gradient.numpy(), settings)
    restore(networks, before)
    return after


def named(networks):
    return {
        "estimator": networks.estimator,
        "binary": networks.binary,
        "discriminator": networks.discriminator,
    }


def restore(networks, values):
    for key, network in named(networks).items():
        for variable in network.trainable_variables:
            variable.assign(values[key][variable.path])


@pytest.mark.parametrize("traced", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_one_step_changes_all_three_networks_as_the_losses_say(
    traced, domains, tmp_path, eagerly
):
    tf.config.run_functions_eagerly(not traced)
    run = domain_loop.create_run(SETTINGS, tmp_path, epoch=1)
    networks = run.trainee
    batch = make_domain_batch(domains, SETTINGS, 0)
    before = {k: values_of(n) for k, n in named(networks).items()}
    expected = reference_step(networks, batch, SETTINGS)
    scalars = DomainStep(networks, run.optimizer, SETTINGS)(batch)
    assert set(scalars) == {
        *dict(SETTINGS.weights),
        "loss",
        "discriminator",
    }
    total = sum(weight * scalars[name] for name, weight in SETTINGS.weights)
    assert scalars["loss"] == pytest.approx(total, rel=1e-5)
    for key, network in named(networks).items():
        start = before[key]
        largest = max(np.abs(expected[path] - start[path]).max() for path in start)
        assert largest > 1e-5, key
        for path, value in values_of(network).items():
            np.testing.assert_allclose(
                value - start[path],
                expected[path] - start[path],
                rtol=1e-2,
                atol=2e-3 * largest,
                err_msg=path,
            )


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on_and_serves_as_a_preset(
    domains, tmp_path, eagerly
):
    settings = SETTINGS.replace(learning_rate=1e-3, num_epochs=2, batch_size=1)
    whole = domain_loop.train_domains(settings, tmp_path / "whole", domains, 2)
    assert whole.step == 2
    domain_loop.train_domains(settings, tmp_path / "parts", domains, 1)
    parts = domain_loop.train_domains(settings, tmp_path / "parts", domains, 2)
    assert parts.step == 2
    for one, other in zip(whole.trainee.variables, parts.trainee.variables):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    model = load_preset(tmp_path / "parts")
    assert model.name == "dmenet"
    for name, value in zip(weights.variable_names(model), model.get_weights()):
        kept = weights.read_weights(tmp_path / "parts" / "weights.npz")[name]
        np.testing.assert_array_equal(kept, value)
    with pytest.raises(ValueError, match="another recipe"):
        domain_loop.train_domains(
            settings.replace(seed=1), tmp_path / "parts", domains, 3
        )
