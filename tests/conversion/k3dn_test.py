"""Tests of the mapping of K3DN's official tensors."""

import numpy as np
import pytest

import tf_defocus
from tf_defocus.conversion import k3dn, load_official

SMALL = {
    "base_filters": 3,
    "encoder_residual_units": 1,
    "num_psf_blocks": 2,
    "srp_residual_units": 1,
    "window_size": (4, 4),
    "pool_size": (2, 2),
    "pad_scale": (32, 32),
    "variant": "released",
}


@pytest.mark.parametrize("name", ["k3dn_large", "k3dn_single"])
@pytest.mark.parametrize("preservation", [True, False])
def test_every_weight_has_one_official_tensor(name, preservation):
    model = tf_defocus.create_model(
        name, sharp_region_preservation=preservation, **SMALL
    )
    assignments = list(k3dn.assignments(model))
    assert len({a.name for a in assignments}) == len(assignments)
    ours = {id(weight) for weight in model.weights}
    assert {id(a.variable) for a in assignments} == ours
    assert any(a.name.startswith("srp.") for a in assignments) == preservation


def test_counters_are_skipped_and_strangers_are_not(rng):
    model = tf_defocus.create_model("k3dn_single", **SMALL)
    assert k3dn.is_skipped("disp.model.3.bn.num_batches_tracked", model)
    with pytest.raises(ValueError, match=r"Unused.*stranger"):
        load_official(model, {"stranger": np.zeros(1)})


def test_finished_kernels_cannot_be_filled():
    model = tf_defocus.create_model("k3dn_single", frozen_kernels=True, **SMALL)
    with pytest.raises(ValueError, match="to_inference"):
        load_official(model, {})
