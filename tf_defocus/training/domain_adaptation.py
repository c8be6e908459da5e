"""What teaches DMENet: losses of rendered, of marked and of unmarked photographs.

Lee et al., CVPR 2019, Sec. 4.3: rendered photographs come with their map. Marked ones
(blurred or not, pixel by pixel) teach through a `BinaryNetwork`, and with the unmarked
ones fool a `FeatureDiscriminator`, which tells rendered features from real ones. A step
is the discriminator's, then the others', on the same photographs; each kind is
normalised as a batch of its own.

`configs.dmenet` has the weights, `domain_loop` takes the steps.
"""

from keras import ops

from tf_defocus.ops.resizing import resize_nearest_aligned

SCALES = (16, 8, 4, 2, 1)  # of the auxiliary maps


def rendered_losses(outputs, defocus, perceptual=None):
    """What the map of rendered photographs should be.

    Args:
        outputs: dict of DMENet.
        defocus: (batch, height, width, 1) float32 in [0, 1], the true map.
        perceptual: `losses.PerceptualLoss`, or None to leave it out.

    Returns:
        dict of scalars: "defocus" and "auxiliary", the sum over the scales, squared
        errors; "perceptual", of the maps as grey images.
    """
    height, width = ops.shape(defocus)[1:3]
    auxiliary = 0.0
    for scale in SCALES:
        target = resize_nearest_aligned(defocus, height // scale, width // scale)
        auxiliary += _squared_error(outputs[f"auxiliary_{scale}"], target)
    values = {
        "defocus": _squared_error(outputs["defocus"], defocus),
        "auxiliary": auxiliary,
    }
    if perceptual is not None:
        grey = [ops.repeat(x, 3, axis=-1) for x in (defocus, outputs["defocus"])]
        values["perceptual"] = ops.mean(perceptual.call(*grey))
    return values


def binary_loss(logits, mask):
    """Whether the map of marked photographs tells what is blurred.

    Args:
        logits: (batch, height, width, 1), a `BinaryNetwork`'s.
        mask: the same shape in [0, 1], one where the photograph is blurred.

    Returns:
        Scalar, mean cross-entropy.
    """
    return _cross_entropy(logits, mask)


def adversarial_loss(marked_logits, unmarked_logits):
    """How badly real photographs' features pass as rendered ones.

    Args:
        marked_logits, unmarked_logits: a `FeatureDiscriminator`'s.

    Returns:
        Scalar, the mean of both cross-entropies.
    """
    kinds = marked_logits, unmarked_logits
    return sum(_cross_entropy(logits, 1.0) for logits in kinds) / 2


def discriminator_loss(rendered_logits, marked_logits, unmarked_logits):
    """How badly the discriminator tells rendered features from real ones.

    Args:
        rendered_logits, marked_logits, unmarked_logits: a `FeatureDiscriminator`'s.

    Returns:
        Scalar; rendered ones count as much as both kinds of real ones.
    """
    real = sum(_cross_entropy(x, 0.0) for x in (marked_logits, unmarked_logits))
    return (2 * _cross_entropy(rendered_logits, 1.0) + real) / 2


def weighted_sum(values, weights):
    """Scalar: the named losses times their weights.

    Raises:
        KeyError: if a loss has no weight.
    """
    return sum(weights[name] * value for name, value in values.items())


def _squared_error(values, targets):
    return ops.mean(ops.square(values - targets))


def _cross_entropy(logits, target):
    # log(1 + e^x) - x t, without overflow
    return ops.mean(ops.softplus(logits) - logits * target)
