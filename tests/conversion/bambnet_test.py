"""BaMBNet's official tensors land where they belong; reversed colours are undone."""

import numpy as np
import pytest

from tests.testing import reversed_channels, torch_arrays
from tf_defocus.conversion import bambnet, load_official
from tf_defocus.models.bambnet import BaMBNet, BlurRadiusNetwork


@pytest.fixture(params=[BaMBNet, BlurRadiusNetwork])
def model(request):
    network = request.param(base_filters=4, reduction=2)
    network.build()
    return network


def test_every_tensor_lands_in_its_variable(model, rng):
    arrays = torch_arrays(bambnet.assignments(model), rng)
    load_official(model, arrays)
    assert len(arrays) == len(model.weights) == 452
    kernel = model.branches[3].chain[6].blocks[2].attention.excite.kernel
    official = arrays["layer7.3.0.body.2.body.3.conv_du.2.weight"]
    np.testing.assert_array_equal(kernel[0, 0, 1, 3], official[3, 1, 0, 0])
    closing = model.branches[2].chain[0].closing.bias
    np.testing.assert_array_equal(closing, arrays["layer1.2.0.body.2.bias"])


def test_reader_undoes_the_reversed_colours(model, rng):
    views = {v: rng.random((1, 16, 32, 3), dtype=np.float32) for v in model.view_names}
    arrays = torch_arrays(bambnet.assignments(model), rng, scale=0.2)
    load_official(model, arrays)
    theirs = np.asarray(model(reversed_channels(views))[model.output_name])
    load_official(model, bambnet.to_rgb(arrays))
    ours = np.asarray(model(views)[model.output_name])
    assert ours.std() > 1e-3
    np.testing.assert_allclose(ours, theirs[..., ::-1], rtol=1e-4, atol=1e-4)


def test_a_tensor_too_many_is_named(model, rng):
    arrays = torch_arrays(bambnet.assignments(model), rng)
    arrays["layer9.0.0.bias"] = np.zeros(4)
    with pytest.raises(ValueError, match=r"Unused: \['layer9.0.0.bias'\]"):
        load_official(model, arrays)
