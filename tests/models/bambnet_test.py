"""BaMBNet against the authors' recorded tensors, its counts, masks and contract."""

import keras
import numpy as np
import pytest
from keras import ops

import tf_defocus
from tests.testing import (
    assert_agrees,
    fill_with_waves,
    golden_file,
    official_weights,
    reference_file,
)
from tf_defocus.models.bambnet import (
    BaMBNet,
    BlurRadiusNetwork,
    branch_masks,
    mask_strength,
)

NETWORKS = {"bambnet.npz": BaMBNet, "bambnet_coc.npz": BlurRadiusNetwork}
SMALL = {"base_filters": 16, "reduction": 4}


@pytest.fixture(params=sorted(NETWORKS), scope="module")
def recorded(request):
    vectors = reference_file(request.param)
    model = NETWORKS[request.param](**SMALL, variant="released")
    model.build()
    tf_defocus.conversion.load_official(model, official_weights(vectors))
    return model, vectors


def views_of(vectors):
    return {"left": vectors["in/left"], "right": vectors["in/right"]}


def test_output_agrees_with_the_authors(recorded):
    model, vectors = recorded
    outputs = model(views_of(vectors))
    assert list(outputs) == [model.output_name]
    assert_agrees(outputs[model.output_name], vectors, "output")


def test_every_recorded_intermediate_agrees_with_the_authors(recorded):
    model, vectors = recorded
    head = model.head(np.concatenate(list(views_of(vectors).values()), axis=-1))
    block = model.branches[1].chain[0].blocks[0]
    found = {
        "head": head,
        "ca_first": block.attention(block.second(block.first(head))),
        "rcab_first": block(head),
        "linear": model.tail(model.summed(views_of(vectors))),
    }
    for index, branch in enumerate(model.branches):
        for level, stage in enumerate(branch.stages(head), start=1):
            found[f"layer{level}_{index}"] = stage
    keys = [key for key in vectors.files if key.startswith("mid/")]
    assert len(keys) >= 4
    for key in keys:
        assert_agrees(found[key.removeprefix("mid/")], vectors, key)


@pytest.mark.parametrize("step", [0, 9999, 15000])
def test_masked_training_agrees_with_the_authors(step):
    vectors = reference_file("bambnet.npz")
    model = tf_defocus.create_model("bambnet", **SMALL)
    tf_defocus.conversion.load_official(model, official_weights(vectors))
    inputs = {**views_of(vectors), "blur_radius": vectors["in/coc"]}
    outputs = model(inputs, training=True, mask_strength=mask_strength(step))
    assert_agrees(outputs["deblurred"], vectors, f"train/output_iter{step}")


def test_masks_part_the_pixels_by_the_largest_radius():
    radius = np.zeros((1, 1, 8, 3), "float32")
    radius[0, 0, :, 1] = [0, 1.8999, 1.9, -1.9, 4.2, 6.1999, -6.2, 30]
    radius[0, 0, 0, 2] = -5
    masks = np.asarray(branch_masks(radius))
    assert masks.sum(axis=-1).tolist() == [[[1] * 8]]
    assert masks.argmax(axis=-1)[0, 0].tolist() == [2, 0, 1, 1, 2, 2, 3, 3]


def test_masks_fade_and_are_gone_after_20000_steps():
    strengths = [float(mask_strength(step)) for step in (0, 9999, 19_998, 19_999)]
    expected = [np.exp(-1e-8), np.exp(-1.0), np.exp(-((1.9999) ** 2)), 0]
    np.testing.assert_allclose(strengths, expected, rtol=1e-5)


def test_full_masks_leave_every_pixel_one_branch(rng):
    model = BaMBNet(4, 2)
    shape = (1, 16, 32, 3)
    inputs = {v: rng.random(shape, dtype=np.float32) for v in ("left", "right")}
    radius = np.zeros(shape, "float32")
    radius[:, :, 16:] = 5
    masked = model({**inputs, "blur_radius": radius}, mask_strength=1.0)["deblurred"]
    head = model.head(np.concatenate([inputs["left"], inputs["right"]], axis=-1))
    sharp, _, blurred, _ = (branch(head) for branch in model.branches)
    chosen = ops.concatenate([sharp[:, :, :16], blurred[:, :, 16:]], axis=2)
    expected = ops.sigmoid(model.tail(head + chosen))
    np.testing.assert_allclose(masked, expected, atol=1e-6, rtol=2e-6)
    plain = model(inputs)["deblurred"]
    faded = model({**inputs, "blur_radius": radius}, mask_strength=0.0)["deblurred"]
    np.testing.assert_array_equal(plain, faded)


@pytest.mark.parametrize("network", NETWORKS.values())
def test_parameter_count_equals_the_authors(network):
    model = network()
    model.build()
    assert model.count_params() == 4_497_731


def test_radius_is_kept_within_the_largest_disc(rng):
    model = BlurRadiusNetwork(4, 2)
    views = {v: rng.random((1, 16, 16, 3), dtype=np.float32) for v in model.view_names}
    model(views)
    model.tail.bias.assign([100.0, -100.0, 3.0])
    model.tail.kernel.assign(ops.zeros_like(model.tail.kernel))
    radius = np.asarray(model(views)["blur_radius"])
    assert radius[0, 0, 0].tolist() == [24, -24, 3]


def test_golden_output_is_unchanged():
    with np.load(golden_file("bambnet.npz"), allow_pickle=False) as golden:
        model = tf_defocus.create_model("bambnet", base_filters=4, reduction=2)
        fill_with_waves(model)
        outputs = model({"left": golden["left"], "right": golden["right"]})
        assert golden["deblurred"].std() > 0.01
        np.testing.assert_allclose(
            outputs["deblurred"], golden["deblurred"], atol=1e-5, rtol=2e-6
        )


def test_receptive_field_is_what_an_impulse_reaches_without_the_attention():
    model = BaMBNet(1, 1)
    model.build()
    for weight in model.weights:  # the attention weighs every channel by 1/2
        spread = weight.path.endswith("kernel") and "attention" not in weight.path
        weight.assign(np.full(weight.shape, 0.2 if spread else 0.0, "float32"))
    centre, phases = 400, np.arange(16)  # every phase of the coarsest grid
    views = np.zeros((16, 16, 832, 3), "float32")
    views[phases, 8, centre + phases] = 1
    summed = model.tail(model.summed({"left": views, "right": views}))
    reached = (np.asarray(summed) > 0).any(axis=(1, 3))
    distances = [
        np.abs(np.flatnonzero(row) - centre - phase).max()
        for row, phase in zip(reached, phases)
    ]
    assert max(distances) == model.receptive_field // 2


def test_mixed_precision_keeps_the_tail_in_float32(rng):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = BaMBNet(4, 2)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.branches[1].chain[0].closing.compute_dtype == "bfloat16"
    views = {v: rng.random((1, 16, 16, 3), dtype=np.float32) for v in model.view_names}
    output = model(views)["deblurred"]
    assert keras.backend.standardize_dtype(output.dtype) == "float32"


@pytest.mark.parametrize(
    "argument", [{"base_filters": 0}, {"reduction": 3}, {"variant": "code"}], ids=str
)
def test_unknown_argument_is_refused(argument):
    with pytest.raises(ValueError, match=next(iter(argument))):
        tf_defocus.create_model("bambnet", **argument)
