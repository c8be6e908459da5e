"""Every registered class keeps the house's contract; a class without a row fails.

Networks: config and weights rebuild the same function; any size that divides by
`size_multiple`; mixed precision stays near float32; the loss reaches every weight.
Layers: their config rebuilds them as they stand in the networks. Losses, metrics,
optimizers: serialised and back, they give the same number.
"""

import contextlib
import functools
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_defocus
from tests.testing import ROOT
from tf_defocus import configs, losses, metrics, models, optimizers
from tf_defocus.deconvolution.wiener import WienerDeconvolution
from tf_defocus.export import saved_model
from tf_defocus.layers.ifan_filters import FilterAdaptiveConvolution
from tf_defocus.layers.kpac_residual import ResidualBlock
from tf_defocus.models.bambnet import BlurRadiusNetwork
from tf_defocus.models.dmenet_domains import BinaryNetwork, FeatureDiscriminator
from tf_defocus.models.ifan_reblurring import ReblurringNetwork
from tf_defocus.models.named import MODELS
from tf_defocus.training.tasks import create_trainee

SMALL_K3DN = {
    "base_filters": 4,
    "encoder_residual_units": 1,
    "num_psf_blocks": 2,
    "window_size": (4, 4),
    "pool_size": (2, 2),
    "pad_scale": (32, 32),
}
# name of a model -> arguments that make it small
SMALL = {
    "dmenet": {"base_filters": 4},
    "bambnet": {"base_filters": 4, "reduction": 2},
    "srn": {"base_filters": 4},
    "iniknet": {
        "base_filters": 4,
        "num_bases": 2,
        "max_kernel_size": 5,
        "num_residual_units": 1,
    },
    "dddnet": {"width_divisor": 8},
    "deeprft": {"base_filters": 4, "num_residual_units": 1},
    "dpdnet_dual": {"base_filters": 4},
    "dpdnet_single": {"base_filters": 4},
    "drbnet": {"base_filters": 2},
    "drbnet_dual": {"base_filters": 2},
    "gkmnet": {"num_gaussians": 2, "max_kernel_size": 5},
    "ifan": {"base_filters": 4, "num_iterations": 2},
    "ifan_compact": {"base_filters": 4, "num_iterations": 2},
    "ifan_dual": {"base_filters": 4, "num_iterations": 2},
    "k3dn_large": SMALL_K3DN,
    "k3dn_lightweight": SMALL_K3DN,
    "k3dn_single": SMALL_K3DN,
    "k3dn_tiny": SMALL_K3DN,
    "kpac_2level": {"base_filters": 4},
    "kpac_3level": {"base_filters": 4},
    "kpac_3level_dual": {"base_filters": 4},
    "lakdnet_large": {"base_filters": 4, "num_blocks": (1, 1, 1, 1)},
    "lakdnet_large_dual": {"base_filters": 4, "num_blocks": (1, 1, 1, 1)},
    "lakdnet_small": {"base_filters": 4, "num_blocks": (1, 1, 1, 1)},
    "lakdnet_small_dual": {"base_filters": 4, "num_blocks": (1, 1, 1, 1)},
    "mdp": {"base_filters": 4},
    "nrknet": {"base_filters": 4, "num_kernels": 3},
    "rdpd": {"base_filters": 4, "dropout_rate": 0.0},
    "restormer": {
        "base_filters": 4,
        "num_blocks": (1, 1, 1, 1),
        "num_heads": (1, 2, 2, 2),
    },
    "restormer_dual": {
        "base_filters": 4,
        "num_blocks": (1, 1, 1, 1),
        "num_heads": (1, 2, 2, 2),
    },
}
# one of each class is enough for what is slow
REPRESENTATIVES = (
    "dmenet",
    "bambnet",
    "iniknet",
    "srn",
    "dddnet",
    "deeprft",
    "dpdnet_single",
    "drbnet_dual",
    "gkmnet",
    "ifan",
    "k3dn_tiny",
    "k3dn_single",
    "kpac_3level_dual",
    "lakdnet_small_dual",
    "mdp",
    "nrknet",
    "rdpd",
    "restormer",
)


# A convolution's bias before batch normalisation, which takes the mean away: what is
# left of its gradient while training is rounding.
CANCELLED = {
    "dmenet": r"/convolution/bias",
    "gkmnet": r"/attention/(?!full_in/head)\w+/(head|residual\d|convolution)/bias",
}
# Of one image's pooled features, both rectified units of a small attention may be dead:
# in every fourth block, if signs are drawn by chance; as may the four of a narrow
# branch. So these live in more than half of the places.
DEAD_IN_PLACES = {"bambnet": r"/attention/(squeeze|excite)/|/branch0/layer\d/"}


def small_model(name):
    return tf_defocus.create_model(name, **SMALL[name])


@functools.cache
def shared_model(name):
    """One network for all tests, which leave it as it is.

    Its running statistics fit `shared_views`, as after a training.
    """
    keras.utils.set_random_seed(20_210_816)
    model = small_model(name)
    if any("moving_variance" in weight.path for weight in model.weights):
        with _statistics_of_one_batch(model):
            model(shared_views(name), training=True)
    return model


@contextlib.contextmanager
def _statistics_of_one_batch(model):
    """Running statistics become those of the batch at hand."""
    normalizations = [x for x in model._flatten_layers() if hasattr(x, "momentum")]
    kept = [layer.momentum for layer in normalizations]
    for layer in normalizations:
        layer.momentum = 0.0
    yield
    for layer, momentum in zip(normalizations, kept):
        layer.momentum = momentum


@functools.cache
def shared_views(name):
    return views_for(network_of(name), np.random.default_rng(7))


@functools.cache
def shared_result(name):
    return result(shared_model(name), shared_views(name))


def network_of(name):
    """The network without its weights: what it states about itself."""
    cls, arguments = MODELS[name]
    return getattr(models, cls)(**{"name": name, **arguments, **SMALL[name]})


def views_for(model, rng, multiples=(2, 3), batch=1):
    shape = [batch, *(n * m for n, m in zip(multiples, model.size_multiple)), 3]
    return {n: rng.random(shape, dtype=np.float32) for n in model.view_names}


def result(model, views):
    return np.asarray(model(views)[model.output_name])


def test_every_model_has_a_row():
    assert sorted(SMALL) == tf_defocus.list_models()


@pytest.mark.parametrize("name", sorted(SMALL))
def test_model_states_what_the_restorer_needs(name):
    model = network_of(name)
    assert set(model.view_names) <= {"blurred", "left", "right"}
    assert len(model.size_multiple) == 2 and min(model.size_multiple) >= 1
    assert model.receptive_field > max(model.size_multiple)


@pytest.mark.parametrize("name", REPRESENTATIVES)
def test_config_and_weights_rebuild_the_same_function(name):
    model = shared_model(name)
    clone = type(model).from_config(model.get_config())
    clone.build()
    assert clone.get_config() == model.get_config()
    clone.set_weights(model.get_weights())
    actual = result(clone, shared_views(name))
    np.testing.assert_allclose(actual, shared_result(name), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", REPRESENTATIVES)
def test_output_has_the_size_of_the_input_whatever_it_is(name, rng):
    model = shared_model(name)
    for multiples, batch in (((1, 2), 1), ((2, 1), 2)):
        views = views_for(model, rng, multiples, batch)
        outputs = model(views)
        assert next(iter(outputs)) == model.output_name
        output = np.asarray(outputs[model.output_name])
        channels = 3 if model.output_name == "deblurred" else 1
        assert output.shape == (*views[model.view_names[0]].shape[:3], channels)
        assert np.isfinite(output).all()


def test_a_network_without_an_image_is_refused_where_images_are_made(tmp_path):
    model = small_model("dmenet")
    message = "dmenet estimates defocus.* use .*--classical two_step_dmenet"
    with pytest.raises(ValueError, match=message):
        tf_defocus.Restorer(model)
    with pytest.raises(ValueError, match=message):
        saved_model.export_saved_model(model, tmp_path / "served", "dmenet")
    with pytest.raises(ValueError, match=message):
        create_trainee(model, configs.Recipe("test", "dmenet"))
    assert not (tmp_path / "served").exists()


@pytest.mark.parametrize("name", REPRESENTATIVES)
def test_mixed_precision_stays_near_float32(name):
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = small_model(name)
    finally:
        keras.config.set_dtype_policy(previous)
    mixed.set_weights(shared_model(name).get_weights())
    expected, actual = shared_result(name), result(mixed, shared_views(name))
    assert actual.dtype == np.float32
    assert np.sqrt(np.mean((actual - expected) ** 2)) < 0.02


@pytest.mark.parametrize("name", REPRESENTATIVES)
def test_the_loss_reaches_every_weight(name):
    model, views = shared_model(name), shared_views(name)
    if name == "rdpd":  # one frame alone never meets the recurrent kernel
        views = {k: np.stack([view, view[:, ::-1]], 1) for k, view in views.items()}
    kept = model.get_weights()
    try:
        gradients = gradients_of(model, views)
    finally:
        model.set_weights(kept)
    lost = [p for p, g in gradients.items() if g is None or not np.isfinite(g).all()]
    assert not lost, f"without a finite gradient: {lost}"
    cancelled = re.compile(CANCELLED.get(name, "$."))
    largest = {path: np.abs(g).max() for path, g in gradients.items()}
    zero = {p for p, g in largest.items() if g == 0 and not cancelled.search(p)}
    if name in DEAD_IN_PLACES:
        excused = {p for p in largest if re.search(DEAD_IN_PLACES[name], p)}
        assert 2 * len(zero & excused) < len(excused)
        zero -= excused
    assert not zero, f"taught nothing: {sorted(zero)}"
    named = [g for path, g in largest.items() if cancelled.search(path)]
    assert max(named, default=0) < 1e-4 * max(largest.values())
    assert bool(named) == (name in CANCELLED)


def gradients_of(model, views):
    """dict: path of every trainable variable -> array or None.

    What starts at zero, such as K3DN's weights of the taps, is moved first: what is
    multiplied by zero has no gradient at the first step.
    """
    rng = np.random.default_rng(1)
    for variable in model.trainable_variables:
        if not np.asarray(variable).any():
            variable.assign(rng.uniform(0.1, 0.5, variable.shape))
    with tf.GradientTape() as tape:
        outputs = keras.tree.flatten(model(views, training=True))
        loss = sum(tf.reduce_mean(tf.square(o - 0.3)) for o in outputs)
    variables = {v.path: v.value for v in model.trainable_variables}
    assert len(variables) == len(model.trainable_variables)
    gradients = tape.gradient(loss, variables)
    return {
        path: None if g is None else np.asarray(tf.convert_to_tensor(g))
        for path, g in gradients.items()
    }


def layers_of(model):
    """Every layer of ours inside a model, the model included."""
    found = [model, *model._flatten_layers(include_self=False)]
    return [x for x in found if type(x).__module__.startswith("tf_defocus")]


def standing_alone():
    """Registered layers and networks that are part of no named network."""
    reblurring = ReblurringNetwork(num_iterations=2, filter_size=3)
    domains = [BinaryNetwork(4), FeatureDiscriminator(2)]
    ablated = [ResidualBlock(4), FilterAdaptiveConvolution(3)]
    radius = BlurRadiusNetwork(base_filters=4, reduction=2)
    return [WienerDeconvolution(), *ablated, reblurring, *domains, radius]


def registered_classes(room="."):
    """Name -> base of the classes that a room's sources register."""
    pattern = re.compile(r"register_keras_serializable\(.*\)\nclass (\w+)\(([\w.]+)\)")
    found = {}
    for path in (ROOT / "tf_defocus" / room).rglob("*.py"):
        found |= dict(pattern.findall(path.read_text()))
    return found


def unlike(instances):
    """One of those that differ in their name alone."""
    found = {}
    for layer in instances:
        config = {k: v for k, v in layer.get_config().items() if k != "name"}
        found.setdefault((type(layer), repr(config)), layer)
    return list(found.values())


def test_every_registered_layer_is_rebuilt_by_its_config():
    seen = set()
    instances = standing_alone()
    for name in REPRESENTATIVES:
        instances += layers_of(shared_model(name))
    instances += layers_of(small_model("kpac_2level"))
    released = {**SMALL["k3dn_tiny"], "variant": "released"}
    instances += layers_of(tf_defocus.create_model("k3dn_tiny", **released))
    for layer in unlike(instances):
        config = keras.saving.serialize_keras_object(layer)
        clone = keras.saving.deserialize_keras_object(config)
        assert type(clone) is type(layer)
        assert clone.get_config() == layer.get_config()
        seen.add(type(layer).__name__)
    classes = registered_classes()
    bases = ("Layer", "Model", "Network")
    layers = {name for name, base in classes.items() if base.endswith(bases)}
    assert len(layers) > 20
    assert layers <= seen, f"without a row: {sorted(layers - seen)}"


def test_losses_survive_serialisation(rng):
    sharp, deblurred = rng.random((2, 1, 16, 16, 3), dtype=np.float32)
    parts = losses.FourierPartsLoss()
    for loss in (losses.CharbonnierLoss(epsilon=0.1), losses.SSIMLoss(), parts):
        clone = keras.saving.deserialize_keras_object(
            keras.saving.serialize_keras_object(loss)
        )
        assert float(clone(sharp, deblurred)) == float(loss(sharp, deblurred)) > 0


def test_metrics_survive_serialisation(rng):
    sharp, deblurred = rng.random((2, 1, 16, 16, 3), dtype=np.float32)
    for metric in (metrics.PSNR(), metrics.SSIM(window="gaussian")):
        clone = type(metric).from_config(metric.get_config())
        for one in (metric, clone):
            one.update_state(sharp, deblurred)
        assert float(clone.result()) == float(metric.result()) != 0


def test_optimizers_and_schedules_survive_serialisation():
    schedule = optimizers.create_schedule("cosine", 0.1, 20, hold_steps=5)
    clone = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(schedule)
    )
    assert [float(clone(s)) for s in (0, 5, 12, 20)] == pytest.approx(
        [0.1, 0.1, 0.1 * (1 + np.cos(np.pi * 7 / 15)) / 2, 0.0], abs=1e-7
    )
    optimizer = optimizers.RectifiedAdam(0.1, beta_2=0.9, weight_decay=0.01)
    clone = type(optimizer).from_config(optimizer.get_config())
    steps = []
    for one in (optimizer, clone):
        variable = keras.Variable(np.ones(3, "float32"))
        one.build([variable])
        for gradient in ([1.0, 2.0, 3.0], [0.5, -1.0, 1.0]):
            one.apply([np.array(gradient, "float32")], [variable])
        steps.append(np.asarray(variable))
    np.testing.assert_array_equal(*steps)
    assert np.abs(steps[0] - 1).max() > 1e-3
