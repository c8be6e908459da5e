"""DMENet's losses by their definitions, and whom their gradients reach."""

import keras
import numpy as np
import pytest

from tests.testing import assert_agrees, reference_file
from tf_defocus import create_model
from tf_defocus.configs.dmenet import PAPER
from tf_defocus.models.dmenet_domains import BinaryNetwork, FeatureDiscriminator
from tf_defocus.ops.resizing import resize_nearest_aligned
from tf_defocus.training import domain_adaptation as domains


def naive_resize(image, size):
    def source(i, count, full):
        return int(np.floor(i * (full - 1) / (count - 1) + 0.5)) if count > 1 else 0

    rows = [source(i, size[0], image.shape[1]) for i in range(size[0])]
    columns = [source(j, size[1], image.shape[2]) for j in range(size[1])]
    return image[:, rows][:, :, columns]


@pytest.mark.parametrize("size", [(1, 1), (3, 4), (7, 10), (14, 20)])
def test_aligned_resizing_equals_its_definition(size, rng):
    image = rng.random((2, 7, 10, 1), dtype=np.float32)
    actual = resize_nearest_aligned(image, *size)
    np.testing.assert_array_equal(actual, naive_resize(image, size))


def test_labels_are_resized_as_the_authors_do():
    vectors = reference_file("dmenet.npz")
    label = vectors["op/label"]
    for scale in (2, 4, 8, 16):
        small = resize_nearest_aligned(label, 48 // scale, 64 // scale)
        assert_agrees(small, vectors, f"op/label_nearest_{scale}")
    up = resize_nearest_aligned(vectors["op/label_nearest_8"], 12, 16)
    assert_agrees(up, vectors, "op/up_nearest")


def test_rendered_losses_are_squared_errors_at_every_scale(rng):
    label = rng.random((2, 32, 48, 1), dtype=np.float32)
    outputs = {"defocus": rng.random((2, 32, 48, 1), dtype=np.float32)}
    expected = 0.0
    for scale in (1, 2, 4, 8, 16):
        size = 32 // scale, 48 // scale
        output = rng.random((2, *size, 1), dtype=np.float32)
        outputs[f"auxiliary_{scale}"] = output
        expected += np.mean((output - naive_resize(label, size)) ** 2)
    values = domains.rendered_losses(outputs, label, _Perceptual())
    error = np.mean((outputs["defocus"] - label) ** 2)
    assert float(values["defocus"]) == pytest.approx(error, rel=1e-5)
    assert float(values["auxiliary"]) == pytest.approx(expected, rel=1e-5)
    assert float(values["perceptual"]) == pytest.approx(3 * error, rel=1e-5)
    total = domains.weighted_sum(values, dict(PAPER.weights))
    assert float(total) == pytest.approx(error * (1 + 3e-4) + expected, rel=1e-5)


class _Perceptual:
    """Sums squared errors over the channels, in place of VGG's."""

    def call(self, expected, image):
        assert image.shape[-1] == expected.shape[-1] == 3
        error = keras.ops.square(image - expected)
        return keras.ops.mean(keras.ops.sum(error, axis=-1), axis=(1, 2))


def _cross_entropy(logits, target):
    chance = 1 / (1 + np.exp(-logits.astype("float64")))
    return -np.mean(target * np.log(chance) + (1 - target) * np.log(1 - chance))


def test_cross_entropies_are_weighed_as_the_authors_do(rng):
    rendered, marked, unmarked = 3 * rng.normal(size=(3, 2, 4, 5, 1)).astype("float32")
    mask = (rng.random(marked.shape) < 0.5).astype("float32")
    binary = domains.binary_loss(marked, mask)
    assert float(binary) == pytest.approx(_cross_entropy(marked, mask), rel=1e-5)
    generator = domains.adversarial_loss(marked, unmarked)
    expected = (_cross_entropy(marked, 1) + _cross_entropy(unmarked, 1)) / 2
    assert float(generator) == pytest.approx(expected, rel=1e-5)
    real = _cross_entropy(marked, 0) + _cross_entropy(unmarked, 0)
    expected = (2 * _cross_entropy(rendered, 1) + real) / 2
    discriminator = domains.discriminator_loss(rendered, marked, unmarked)
    assert float(discriminator) == pytest.approx(expected, rel=1e-5)
    assert np.isfinite(float(domains.binary_loss(np.full_like(mask, 500), mask)))


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="records gradients on a tape"
)
def test_each_loss_moves_the_networks_it_is_for(rng):
    tf = pytest.importorskip("tensorflow")
    model = create_model("dmenet", base_filters=4)
    binary, discriminator = BinaryNetwork(4), FeatureDiscriminator(4)
    for network in (binary, discriminator):
        network.build()
    images = {"blurred": rng.random((1, 32, 32, 3), dtype=np.float32)}
    mask = np.ones((1, 32, 32, 1), "float32")
    with tf.GradientTape(persistent=True) as tape:
        outputs = model(images, training=True)
        found = binary(outputs["defocus"], training=True)
        judged = discriminator(outputs["features"], training=True)
        losses = {
            "binary": domains.binary_loss(found, mask),
            "adversarial": domains.adversarial_loss(judged, judged),
        }

    def moves(loss, owner, name):
        variables = [v.value for v in owner.trainable_variables if name in v.path]
        gradients = tape.gradient(losses[loss], variables)
        return [g is not None and np.abs(g).max() > 0 for g in gradients]

    assert any(moves("binary", binary, "hidden")) and any(
        moves("binary", model, "closing")
    )
    assert any(moves("adversarial", model, "conv5_4"))
    assert any(moves("adversarial", discriminator, "logits"))
    # The discriminator sees the features before the refinement.
    assert not any(moves("adversarial", model, "refinement"))


def test_the_papers_numbers():
    weights = dict(PAPER.weights)
    assert (weights["defocus"], weights["auxiliary"]) == (1, 1)
    assert (weights["perceptual"], weights["binary"]) == (1e-4, 2e-2)
    assert weights["adversarial"] == PAPER.discriminator_weight == 1e-3
    assert (PAPER.batch_size, PAPER.crop_size, PAPER.learning_rate) == (3, 240, 1e-4)
    assert PAPER.learning_rate * PAPER.decay_factor**2 == pytest.approx(6.4e-5)
    assert PAPER.label_scale == 10 * 15
