"""DDDNet's official tensors land where they belong; what is never called is left."""

import numpy as np
import pytest

import tf_defocus
from tests.testing import torch_arrays
from tf_defocus.conversion import dddnet, load_official


@pytest.fixture(scope="module")
def model():
    return tf_defocus.create_model("dddnet", width_divisor=8)


def test_two_files_land_in_their_variables(model, rng):
    arrays = torch_arrays(dddnet.assignments(model), rng)
    assert len(arrays) == len(model.weights) == 290
    unused = ("features.start.0.conv.weight", "matching.deconv3a.conv1.bn.bias")
    files = {"Estd": dict.fromkeys(unused, np.zeros(3)), "Esti": {}}
    for name, array in arrays.items():
        part, _, rest = name.partition(".")
        files[part][f"module.{rest}"] = array
    files["Esti"]["module.conv.conv.weight"] = np.zeros((1, 16, 3, 3))
    files["Estd"]["module.feature.end.1.bn.weight"] = np.zeros(4)
    files["Estd"]["module.feature.start.0.bn.num_batches_tracked"] = np.array(3)
    load_official(model, dddnet.joined(files["Estd"], files["Esti"]))
    kernel = np.asarray(model.blur_estimator.finer.kernel)
    official = arrays["Estd.matching.end.0.conv.weight"]  # in, out, d, h, w
    assert kernel[0, 1, 2, 1, 5] == official[5, 1, 0, 1, 2]
    kernel = np.asarray(model.decoders[2].rises[1].kernel)
    assert kernel[1, 2, 3, 7] == arrays["Esti.decoder3.layer20.weight"][7, 3, 1, 2]
    kernel = np.asarray(model.depth_decoder.residuals[1].units[1][0].kernel)
    assert kernel[1, 2, 3, 7] == arrays["Esti.decoderd.layer18.0.weight"][7, 3, 1, 2]


def test_a_missing_tensor_is_named(model, rng):
    arrays = torch_arrays(dddnet.assignments(model), rng)
    del arrays["Esti.cam_attention.gamma"]
    with pytest.raises(ValueError, match=r"Missing: \['Esti.cam_attention.gamma'\]"):
        load_official(model, arrays)
