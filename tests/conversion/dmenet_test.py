"""DMENet's file: a dictionary by variable name, of three networks."""

import numpy as np
import pytest

from tf_defocus import conversion, create_model
from tf_defocus.conversion.dmenet import assignments, read_npz
from tf_defocus.models.dmenet_domains import BinaryNetwork, FeatureDiscriminator

UNUSED = "main_net/defocus_net/encoder/c_logits_1/kernel:0"


def _networks():
    networks = [
        create_model("dmenet", base_filters=4),
        BinaryNetwork(4),
        FeatureDiscriminator(4),
    ]
    for network in networks[1:]:
        network.build()
    return networks


def _file_of(networks, rng, older=False):
    arrays = {UNUSED: np.zeros((2, 2))}
    for network in networks:
        for assignment in assignments(network):
            name = assignment.name
            if older:
                name = name.replace("/kernel:0", "/W_conv2d:0")
                name = name.replace("/bias:0", "/b_conv2d:0")
            arrays[name] = rng.random(assignment.variable.shape, dtype="float32")
    return arrays


@pytest.mark.parametrize("older", [False, True])
def test_one_file_fills_all_three_networks(older, rng, tmp_path):
    networks = _networks()
    arrays = _file_of(networks, rng, older)
    np.savez(tmp_path / "DMENet_BDCS.npz", **arrays)
    read = read_npz(tmp_path / "DMENet_BDCS.npz")
    filled = 0
    for network in networks:
        conversion.load_official(network, read)
        for assignment in assignments(network):
            value = np.asarray(assignment.variable)
            np.testing.assert_array_equal(value, read[assignment.name])
            filled += 1
    assert filled == len(arrays) - 1 == 313


def test_a_missing_tensor_is_named(rng):
    networks = _networks()
    arrays = _file_of(networks, rng)
    name = "main_net/defocus_net/decoder/u0/b_res3/beta:0"
    del arrays[name]
    with pytest.raises(ValueError, match=f"Missing: \\['{name}'\\]"):
        conversion.load_official(networks[0], arrays)
    conversion.load_official(networks[1], arrays)


def test_a_file_of_objects_is_refused(tmp_path):
    np.savez(tmp_path / "objects.npz", params=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match=r"objects\.npz"):
        read_npz(tmp_path / "objects.npz")
