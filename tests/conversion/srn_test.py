"""SRN's official variables land where they belong, in both forms."""

import numpy as np
import pytest

import tf_defocus
from tf_defocus.conversion import load_official, srn


@pytest.mark.parametrize(("recurrent", "count"), [(True, 86), (False, 84)])
def test_every_variable_lands_in_its_place(rng, recurrent, count):
    model = tf_defocus.create_model("srn", base_filters=2, recurrent=recurrent)
    arrays = {
        each.name: rng.normal(size=each.variable.shape).astype("float32")
        for each in srn.assignments(model)
    }
    assert len(arrays) == len(model.weights) == count
    load_official(model, arrays)
    block = model.network.decoder[1][2]
    kernel = np.asarray(block.second.kernel)
    np.testing.assert_array_equal(kernel, arrays["g_net/dec2_1/conv2/weights:0"])
    kernel = np.asarray(model.network.rises[1].kernel)
    np.testing.assert_array_equal(kernel, arrays["g_net/dec1_4/weights:0"])


def test_a_memory_too_many_is_named(rng):
    whole = tf_defocus.create_model("srn", base_filters=2)
    arrays = {a.name: np.asarray(a.variable) for a in srn.assignments(whole)}
    model = tf_defocus.create_model("srn", base_filters=2, recurrent=False)
    with pytest.raises(ValueError, match="LSTM_conv"):
        load_official(model, arrays)
