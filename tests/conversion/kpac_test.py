import numpy as np
import pytest

import tf_defocus
from tf_defocus.conversion import kpac, load_official


@pytest.fixture(scope="module")
def model():
    return tf_defocus.create_model("kpac_2level", base_filters=8, variant="released")


@pytest.fixture
def arrays(model, rng):
    return {
        a.name: rng.normal(size=a.variable.shape).astype("float32")
        for a in kpac.assignments(model)
    }


def test_every_tensor_lands_in_its_variable(model, arrays):
    load_official(model, arrays)
    assert len(arrays) == len(model.weights) == 58
    np.testing.assert_array_equal(
        model.blocks[1].fusion.kernel, arrays["044|deblur_net/cf/1/W_conv2d:0"]
    )


def test_missing_unused_and_misshapen_tensors_are_named(model, arrays):
    name = "000|deblur_net/deblur/c0/W_conv2d:0"
    with pytest.raises(ValueError, match=r"Unused.*extra"):
        load_official(model, arrays | {"extra": np.zeros(1)})
    with pytest.raises(ValueError, match=r"c0/W_conv2d:0 must have shape \(5, 5, 3, 8"):
        load_official(model, arrays | {name: np.zeros((5, 5, 3, 7))})
    del arrays[name]
    before = model.residual.bias.numpy()
    with pytest.raises(ValueError, match=r"Missing.*c0/W_conv2d:0"):
        load_official(model, arrays)
    np.testing.assert_array_equal(model.residual.bias, before)
