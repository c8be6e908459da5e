"""Networks at sizes that do not divide: Restorer and exported graph pad alike.

Bad input of both is named, never silently restored wrongly.
"""

import keras
import numpy as np
import pytest

from tf_defocus.models import create_model
from tf_defocus.ops.padding import pad_to_multiple
from tf_defocus.restoration.restorer import Restorer

SMALL = {
    "bambnet": {"base_filters": 4, "reduction": 2},
    "srn": {"base_filters": 4},
    "iniknet": {
        "base_filters": 4,
        "num_bases": 2,
        "max_kernel_size": 5,
        "num_residual_units": 1,
    },
    "dddnet": {"width_divisor": 8},
    "deeprft": {"base_filters": 4, "num_residual_units": 1},
    "drbnet_dual": {"base_filters": 2},
    "gkmnet": {"num_gaussians": 3, "max_kernel_size": 5},
    "k3dn_tiny": {
        "base_filters": 3,
        "encoder_residual_units": 1,
        "num_psf_blocks": 1,
        "window_size": (4, 4),
        "pool_size": (2, 2),
        "pad_scale": (32, 32),
    },
    "mdp": {"base_filters": 2},
    "lakdnet_small": {"base_filters": 4, "num_blocks": (1, 1, 1, 1)},
    "nrknet": {"base_filters": 2, "num_kernels": 2},
    "rdpd": {"base_filters": 2},
    "kpac_3level": {"base_filters": 3},
    "kpac_3level_dual": {"base_filters": 3},
    "ifan_compact": {"base_filters": 2, "num_iterations": 2, "start": "identity"},
    "dpdnet_dual": {"base_filters": 4},
    "restormer": {"base_filters": 4, "num_heads": (1, 2, 2, 2)},
}


@pytest.fixture(scope="module", params=SMALL)
def model(request):
    """A small network."""
    # DRBNet clips its own result: with most seeds its fresh weights make it flat
    keras.utils.set_random_seed(1 if request.param == "drbnet_dual" else 3)
    network = create_model(request.param, **SMALL[request.param])
    if request.param == "nrknet":
        network.blur.bias.assign(np.zeros(3))  # it would brighten all beyond 1
    return network


def views_of(model, size, rng):
    return {
        name: rng.uniform(0.05, 0.2, (*size, 3)).astype("float32")
        for name in model.view_names
    }


@pytest.mark.parametrize("size", [(5, 9), (45, 70)])
def test_sizes_that_do_not_divide_are_padded_and_cropped(model, rng, size):
    """(5, 9) is smaller than one window of K3DN, one cell of GKMNet."""
    views = views_of(model, size, rng)
    maps = model.frame_maps(*size)  # of the photograph before it is padded
    batch = {name: view[None] for name, view in {**views, **maps}.items()}
    margin = model.border_margin
    padded = {
        n: pad_to_multiple(v, model.size_multiple, margin) for n, v in batch.items()
    }
    shape = next(iter(padded.values())).shape[1:3]
    assert all(n % m == 0 for n, m in zip(shape, model.size_multiple))
    expected = keras.ops.convert_to_numpy(model(padded)["deblurred"])
    rows, columns = (slice(margin, margin + side) for side in size)
    expected = np.clip(expected[0, rows, columns], 0, 1)
    restored = Restorer(model).restore(**views)
    assert restored.shape == (*size, 3)
    assert expected.std() > 0.005
    np.testing.assert_allclose(restored, expected, atol=1e-5)


@pytest.mark.parametrize("size", [(5, 9), (45, 70)])
def test_the_exported_graph_pads_as_the_restorer(model, rng, size):
    pytest.importorskip("tensorflow", reason="exports need TensorFlow")
    from tf_defocus.export.saved_model import RestorationGraph

    views = views_of(model, size, rng)
    batch = {name: view[None] for name, view in views.items()}
    exported = RestorationGraph(model).restore_floats(batch)["deblurred"]
    assert exported.shape == (1, *size, 3)
    restored = Restorer(model, tile=0).restore(**views)
    np.testing.assert_allclose(exported[0], restored, atol=1e-5)


def test_a_missing_view_and_unlike_views_are_named(rng):
    model = create_model("k3dn_tiny", **SMALL["k3dn_tiny"])
    views = views_of(model, (40, 40), rng)
    restorer = Restorer(model)
    with pytest.raises(ValueError, match=r"Expected the views left, right\. .*: left$"):
        restorer.restore(left=views["left"])
    with pytest.raises(ValueError, match="Expected the views left, right"):
        restorer.restore(blurred=views["left"])
    with pytest.raises(ValueError, match=r"alike. .* left \(40, 40, 3\) .* \(39, 40"):
        restorer.restore(left=views["left"], right=views["right"][1:])


def test_the_exported_graph_refuses_unlike_views(rng):
    tf = pytest.importorskip("tensorflow", reason="exports need TensorFlow")
    from tf_defocus.export.saved_model import RestorationGraph

    model = create_model("k3dn_tiny", **SMALL["k3dn_tiny"])
    graph = RestorationGraph(model)
    spec = {name: tf.TensorSpec((None, None, None, 3)) for name in model.view_names}
    served = tf.function(graph.restore_floats, input_signature=[spec])
    views = {name: v[None] for name, v in views_of(model, (40, 40), rng).items()}
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be alike in shape"):
        served({"left": views["left"], "right": views["right"][:, 1:]})


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_sizes_may_change_from_call_to_call_in_one_side_or_both(model, rng, dtype):
    """One side stays while the other changes: a graph may know one size only."""
    restorer = Restorer(model, margin=0)
    unit = model.size_multiple
    for rows, columns in ((1, 1), (1, 2), (1, 3), (2, 3), (3, 3), (3, 1)):
        views = views_of(model, (rows * unit[0], columns * unit[1]), rng)
        if dtype == "uint8":
            views = {n: np.rint(v * 255).astype("uint8") for n, v in views.items()}
        full = 255 if dtype == "uint8" else 1
        batch = {n: v[None].astype("float32") / full for n, v in views.items()}
        maps = model.frame_maps(*next(iter(views.values())).shape[:2])
        batch |= {n: np.asarray(value)[None] for n, value in maps.items()}
        expected = keras.ops.convert_to_numpy(model(batch)["deblurred"])[0]
        restored = restorer.restore(**views).astype("float32") / full
        tolerance = 0.51 / 255 if dtype == "uint8" else 1e-5
        np.testing.assert_allclose(
            restored, np.clip(expected, 0, 1), atol=tolerance, rtol=0
        )
