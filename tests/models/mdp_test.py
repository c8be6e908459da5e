"""MDP: against the authors' recorded tensors, its size, its outputs."""

import keras
import numpy as np
import pytest

from tests.testing import (
    assert_agrees,
    golden_file,
    official_weights,
    reference_file,
)
from tf_defocus import conversion, create_model
from tf_defocus.models.mdp import IMAGES

INTERMEDIATES = {  # name in the recorded file -> our stage
    "conv2": "conv2",
    "conv4": "conv4",
    "left_conv5": "left/bottleneck",
    "left_up8": "left/up2",
    "right_up8": "right/up2",
    "deblur_conv15": "deblurred/bottleneck",
    "deblur_up18": "deblurred/up2",
    "left_conv8": "left/conv2",
    "left_conv9": "left/colors",
    "right_conv13": "right/conv2",
    "deblur_conv18": "deblurred/conv2",
    "deblur_up19": "deblurred/up1",
    "deblur_conv19": "deblurred/conv1",
    "deblur_conv3": "deblurred/colors",
}


def test_every_stage_agrees_with_the_authors_at_an_eighth_of_the_filters():
    vectors = reference_file("mdp.npz")
    model = create_model("mdp", base_filters=8, variant="released")
    conversion.load_official(model, official_weights(vectors))
    inputs = {"blurred": vectors["in/image"]}
    stages = model.stages(inputs)
    recorded = [k.removeprefix("mid/") for k in vectors.files if k.startswith("mid/")]
    assert sorted(recorded) == sorted(INTERMEDIATES)
    for name in recorded:
        assert_agrees(stages[INTERMEDIATES[name]], vectors, f"mid/{name}")
    for training in (False, True):
        outputs = model(inputs, training=training)
        assert list(outputs) == ["deblurred", "left", "right"]
        joined = np.concatenate([outputs[name] for name in IMAGES], axis=-1)
        assert_agrees(joined, vectors, "output")


def test_the_full_network_has_the_authors_parameters():
    assert create_model("mdp").count_params() == 46_860_397


def test_outputs_of_fixed_weights_are_the_stored_ones():
    # Where the recorded vectors are absent; written when they agreed.
    golden = np.load(golden_file("mdp.npz"))
    outputs = _outputs_of_fixed_weights()
    for name in IMAGES:
        assert golden[name].std() > 0.01
        np.testing.assert_allclose(outputs[name], golden[name], atol=1e-4, rtol=2e-6)


def _outputs_of_fixed_weights():
    random = np.random.default_rng(2022)
    model = create_model("mdp", base_filters=2)
    scales = [1.5 / np.sqrt(np.prod(w.shape[:-1])) for w in model.weights]
    weights = [random.normal(size=w.shape) * s for w, s in zip(model.weights, scales)]
    model.set_weights(weights)
    image = random.random((1, 16, 32, 3)).astype("float32")
    outputs = model({"blurred": image})
    return {name: keras.ops.convert_to_numpy(outputs[name]) for name in IMAGES}


def test_receptive_field_is_what_an_impulse_reaches():
    model = create_model("mdp", base_filters=1)
    model.set_weights([np.full(w.shape, w.ndim == 4, "float32") for w in model.weights])
    width = 352
    image = np.zeros((16, 16, width, 3), "float32")
    places = 160 + np.arange(16)  # every phase of the coarsest grid
    image[np.arange(16), 8, places] = 1
    output = keras.ops.convert_to_numpy(model({"blurred": image})["deblurred"])
    reached = (output > 0.5).any(axis=(1, 3))
    distances = [np.abs(np.flatnonzero(r) - p).max() for r, p in zip(reached, places)]
    assert max(distances) == model.receptive_field // 2


def test_every_late_decoder_sees_all_the_early_ones(rng):
    model = create_model("mdp", base_filters=2)
    image = {"blurred": rng.random((1, 16, 16, 3), "float32")}
    before = model(image)
    model.early[0].up2.bias.assign(np.full(4, 0.5))  # of the left view
    after = model(image)
    for name in IMAGES:
        assert np.abs(np.asarray(after[name]) - before[name]).max() > 1e-4


def test_sizes_are_dynamic_and_the_outputs_are_float32_under_bfloat16(rng):
    model = create_model("mdp", base_filters=2, dtype="mixed_bfloat16")
    for height, width in ((16, 48), (32, 16)):
        image = rng.random((1, height, width, 3), "float32")
        for output in model({"blurred": image}).values():
            assert output.shape == image.shape
            assert keras.backend.standardize_dtype(output.dtype) == "float32"


@pytest.mark.parametrize("wrong", [{"base_filters": 0}, {"variant": "code"}])
def test_bad_arguments_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        create_model("mdp", **wrong)
