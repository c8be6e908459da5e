"""What engines compute: a network, or a stage of it, as a function of named arrays."""

import functools
from typing import Any

import numpy as np

FEATURES = "features"  # an input of a stage that is no image
MEANS = "means"  # another: of the channels of all features, (batch, 1, 1, channels)
OUTPUT = "restored"  # the result of every converted graph


def stage_function(network, stage, options):
    """A stage as a function of its named arguments that returns one tensor.

    Args:
        network: `models.base.RestorationNetwork`.
        stage: "call", "encode", "transform" or "decode"; or "transform_step/0" and so
            on, for the steps that `transform` is made of.
        options: dict, further call arguments of the whole network.
    """
    is_whole = stage == "call"
    name, _, step = stage.partition("/")
    function = network if is_whole else getattr(network, name)
    if step:
        function = functools.partial(function, int(step))
    arguments = {"training": False, **options} if is_whole else {}

    def compute(**inputs):
        output = function(**inputs, **arguments)
        return output["deblurred"] if isinstance(output, dict) else output

    return compute


def flat_inputs(inputs: dict[str, Any]) -> dict[str, np.ndarray]:
    """The arguments of a stage as one dict of arrays, the features among the images."""
    features = {k: v for k, v in inputs.items() if k in (FEATURES, MEANS)}
    return {**inputs.get("inputs", {}), **features}


def nested_inputs(flat):
    """Undoes `flat_inputs`."""
    features = {k: v for k, v in flat.items() if k in (FEATURES, MEANS)}
    images = {name: value for name, value in flat.items() if name not in features}
    return {"inputs": images, **features} if images else features
