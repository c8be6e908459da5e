"""DDDNet against the authors' recorded tensors, in evaluation and training."""

import numpy as np
import pytest

import tf_defocus
from tests.testing import (
    assert_agrees,
    fill_with_waves,
    golden_file,
    official_weights,
    reference_file,
)
from tf_defocus.conversion import dddnet as mapping
from tf_defocus.layers.k3dn_stereo import cost_volume

OUTPUTS = {
    "output": "deblurred",
    "blur_map": "blur_map",
    "mid_disparity": "depth_map",
}


@pytest.fixture(scope="module")
def vectors():
    return reference_file("dddnet.npz")


def filled(vectors):
    model = tf_defocus.create_model("dddnet", width_divisor=8, variant="released")
    tf_defocus.conversion.load_official(model, official_weights(vectors))
    return model


@pytest.fixture(scope="module")
def recorded(vectors):
    return filled(vectors)


def views_of(vectors):
    return {"left": vectors["in/left"], "right": vectors["in/right"]}


def test_outputs_agree_with_the_authors(recorded, vectors):
    outputs = recorded(views_of(vectors))
    assert list(outputs) == list(OUTPUTS.values())
    for key, name in OUTPUTS.items():
        assert_agrees(outputs[name], vectors, f"eval/{key}")


def test_training_agrees_with_the_authors_and_updates_alike(vectors):
    model = filled(vectors)
    outputs = model(views_of(vectors), training=True)
    for key, name in OUTPUTS.items():
        assert_agrees(outputs[name], vectors, f"train/{key}")
    running = {a.name: a.variable for a in mapping.assignments(model)}
    keys = [key for key in vectors.files if key.startswith("bn_after_train/")]
    assert len(keys) == 30
    for key in keys:
        assert_agrees(running[key.removeprefix("bn_after_train/")], vectors, key)


def matching_stages(model, left, right):
    estimator = model.blur_estimator
    trunks = []
    for view in (left, right):
        for layer in estimator.features.trunk:
            view = layer(view)
        trunks.append(view)
    (first, third), (first_right, _) = map(estimator.features.context, trunks)
    features = [estimator.features(view) for view in (left, right)]
    match = estimator.match(cost_volume(*features, 4))
    return {
        "feature_branch1": first,
        "feature_branch3": third,
        "feature_branch1#2": first_right,
        "feature": features[0],
        "feature_right": features[1],
        "match_start": match["start"],
        "match_conv1a": match["coarse"],
        "match_deconv1a": match["joined"],
        "matching": match["costs"],
    }


def patch_stages(model, left, right, blur_map):
    stages = model.patches(left, right, blur_map)
    return {
        "enc3": stages["quarters"][0],
        "enc3#4": stages["quarters"][3],
        "dec3": stages["quarter_results"][0],
        "dec3#2": stages["quarter_results"][1],
        "enc2": stages["halves"][0],
        "enc2#2": stages["halves"][1],
        "dec2": stages["half_result"],
        "enc1": stages["whole"],
        "down": stages["difference"],
        "cam": stages["attended"],
    }


def test_every_recorded_intermediate_agrees_with_the_authors(recorded, vectors):
    left, right = views_of(vectors).values()
    blur_map = recorded.blur_estimator(left, right)
    found = {
        "d": matching_stages(recorded, left, right),
        "i": patch_stages(recorded, left, right, blur_map),
    }
    keys = [k for k in vectors.files if k.startswith(("eval/d/", "eval/i/"))]
    assert len(keys) == 19
    for key in keys:
        _, part, name = key.split("@")[0].split("/")
        assert_agrees(found[part][name], vectors, key)


def test_parameter_count_equals_the_authors_used_ones():
    model = tf_defocus.create_model("dddnet")
    counts = [
        sum(int(np.prod(v.shape)) for v in part.trainable_variables)
        for part in (model.blur_estimator, model)
    ]
    # Counted by the authors' code: both networks, and what they never call of each.
    estimator, restorer = 4_561_338 - 3_507_682, 6_403_476 - 1_153
    assert counts == [estimator, estimator + restorer]


def test_golden_output_is_unchanged():
    with np.load(golden_file("dddnet.npz"), allow_pickle=False) as golden:
        model = tf_defocus.create_model("dddnet", width_divisor=8)
        fill_with_waves(model)
        outputs = model({"left": golden["left"], "right": golden["right"]})
        for name in OUTPUTS.values():
            assert golden[name].std() > 0.01
            scale = max(1, np.abs(golden[name]).max())
            np.testing.assert_allclose(
                outputs[name], golden[name], atol=1e-4 * scale, err_msg=name
            )


@pytest.mark.parametrize(
    "argument", [{"width_divisor": 3}, {"variant": "code"}], ids=str
)
def test_unknown_argument_is_refused(argument):
    with pytest.raises(ValueError, match=next(iter(argument))):
        tf_defocus.create_model("dddnet", **argument)
