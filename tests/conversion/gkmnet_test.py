"""GKMNet's official tensors land where they belong."""

import numpy as np
import pytest

import tf_defocus
from tf_defocus.conversion import gkmnet, load_official


@pytest.fixture(scope="module")
def model():
    return tf_defocus.create_model("gkmnet", variant="released", num_scales=1)


def official_shape(assignment):
    shape = tuple(assignment.variable.shape)
    return (shape[3], shape[2], *shape[:2]) if len(shape) == 4 else shape


def test_every_tensor_lands_in_its_variable(model, rng):
    arrays = {
        a.name: rng.normal(size=official_shape(a)).astype("float32")
        for a in gkmnet.assignments(model)
    }
    counter = {"in_block.res_block.conv.1.num_batches_tracked": np.array(3)}
    load_official(model, arrays | counter)
    assert len(arrays) == len(model.weights)
    gate = model.attention.full_in.attention.gates[1].convolution.kernel
    official = arrays["in_block.ta.cw.conv.conv.weight"]
    np.testing.assert_array_equal(gate[:, :, 1, 0], official[0, 1])
    raising = model.attention.half_out.head.kernel
    official = arrays["conv_block3_1.conv.0.weight"]
    np.testing.assert_array_equal(raising[0, 1, 5, 7], official[7, 5, 0, 1])


def test_models_that_were_never_released_are_refused():
    model = tf_defocus.create_model("gkmnet", recurrent=False, num_scales=1)
    with pytest.raises(ValueError, match="recurrent=False"):
        load_official(model, {})
