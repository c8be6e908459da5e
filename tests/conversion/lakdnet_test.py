"""LaKDNet's official tensors land where they belong."""

import numpy as np
import pytest
from keras import ops

from tf_defocus import create_model
from tf_defocus.conversion import lakdnet, load_official

SMALL = {"base_filters": 4, "num_blocks": (1, 2, 1, 1)}


def official_shape(assignment):
    shape = tuple(assignment.variable.shape)
    if "depth" in assignment.name or "dwconv" in assignment.name:
        return (shape[2], 1, *shape[:2])
    return (shape[3], shape[2], *shape[:2]) if len(shape) == 4 else shape


@pytest.fixture(scope="module")
def model():
    return create_model("lakdnet_small_dual", **SMALL)


@pytest.fixture
def arrays(model, rng):
    return {
        a.name: rng.normal(size=official_shape(a)).astype("float32")
        for a in lakdnet.assignments(model)
    }


def test_every_tensor_lands_in_its_variable(model, arrays):
    load_official(model, arrays)
    assert len(arrays) == len(model.weights)
    mixer = model.encoder[1][1].mixer
    kernel = ops.convert_to_numpy(mixer.steps[1][0].kernel)
    official = arrays["encoder_level2.1.mixer.dense_depth_2.weight"]
    np.testing.assert_array_equal(kernel[2, 7, 5, 0], official[5, 0, 2, 7])
    bias = arrays["encoder_level2.1.mixer.dense_point_1.bias"]
    np.testing.assert_array_equal(mixer.steps[0][1].bias, bias)
    embedding = ops.convert_to_numpy(model.embedding.kernel)
    np.testing.assert_array_equal(
        embedding[0, 2, 7, 3], arrays["embed.weight"][3, 7, 0, 2]
    )


def test_a_missing_tensor_is_named(model, arrays):
    del arrays["output.weight"]
    with pytest.raises(ValueError, match=r"Missing: \['output.weight'\]"):
        load_official(model, arrays)


def test_single_weights_do_not_fit_the_dual_network(arrays):
    single = create_model("lakdnet_small", **SMALL)
    with pytest.raises(ValueError, match=r"embed\.weight must have shape"):
        load_official(single, arrays)
