"""Networks at sizes that do not divide: Restorer and exported graph pad alike.

Bad input of both is named, never silently restored wrongly.
"""

import keras
import numpy as np
import pytest

from tests.conformance_test import SMALL
from tf_defocus.models import create_model
from tf_defocus.ops.padding import pad_to_multiple
from tf_defocus.restoration.restorer import Restorer

NETWORKS = (
    "bambnet",
    "srn",
    "iniknet",
    "dddnet",
    "deeprft",
    "drbnet_dual",
    "gkmnet",
    "k3dn_tiny",
    "mdp",
    "lakdnet_small",
    "nrknet",
    "rdpd",
    "kpac_3level",
    "kpac_3level_dual",
    "ifan_compact",
    "dpdnet_dual",
    "restormer",
)


@pytest.fixture(scope="module", params=NETWORKS)
def model(request):
    """A small network."""
    # DRBNet clips its own result: with most seeds its fresh weights make it flat
    keras.utils.set_random_seed(1 if request.param == "drbnet_dual" else 3)
    start = {"start": "identity"} if request.param == "ifan_compact" else {}
    network = create_model(request.param, **SMALL[request.param], **start)
    if request.param == "nrknet":
        network.blur.bias.assign(np.zeros(3))  # it would brighten all beyond 1
    return network


def views_of(model, size, rng):
    return {
        name: rng.uniform(0.05, 0.2, (*size, 3)).astype("float32")
        for name in model.view_names
    }


@pytest.fixture(scope="module")
def restored(model):
    """[(views, photograph of one Restorer)], its size changing from call to call.

    In one side only: the graph then knows the other. (5, 9) is smaller than one window
    of K3DN, one cell of GKMNet.
    """
    rng, restorer = np.random.default_rng(7), Restorer(model)
    made = []
    for size in ((5, 9), (45, 9)):
        views = views_of(model, size, rng)
        made.append((views, restorer.restore(**views)))
    return made


def padded_by_hand(model, views):
    """What the network itself makes of views that are padded to what it divides by."""
    size = next(iter(views.values())).shape[:2]
    maps = model.frame_maps(*size)  # of the photograph before it is padded
    batch = {name: view[None] for name, view in {**views, **maps}.items()}
    margin = model.border_margin
    padded = {
        n: pad_to_multiple(v, model.size_multiple, margin) for n, v in batch.items()
    }
    shape = next(iter(padded.values())).shape[1:3]
    assert all(n % m == 0 for n, m in zip(shape, model.size_multiple))
    output = keras.ops.convert_to_numpy(model(padded)["deblurred"])
    rows, columns = (slice(margin, margin + side) for side in size)
    return np.clip(output[0, rows, columns], 0, 1)


def test_sizes_that_do_not_divide_and_change_are_padded_and_cropped(model, restored):
    for views, photograph in restored:
        expected = padded_by_hand(model, views)
        assert expected.std() > 0.005
        np.testing.assert_allclose(photograph, expected, atol=1e-5, rtol=2e-6)


def test_the_exported_graph_pads_as_the_restorer(model, restored):
    """As it is exported: traced once, at sizes that are not known."""
    tf = pytest.importorskip("tensorflow", reason="exports need TensorFlow")
    from tf_defocus.export.saved_model import RestorationGraph

    spec = {name: tf.TensorSpec((None, None, None, 3)) for name in model.view_names}
    graph = RestorationGraph(model)
    served = tf.function(graph.restore_floats, input_signature=[spec])
    for views, photograph in restored:
        batch = {name: view[None] for name, view in views.items()}
        exported = served(batch)["deblurred"]
        np.testing.assert_allclose(exported, photograph[None], atol=1e-5, rtol=2e-6)


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


def test_bytes_are_restored_as_floats_and_rounded(rng):
    model = create_model("kpac_3level", **SMALL["kpac_3level"])
    restorer = Restorer(model)
    views = {n: np.rint(255 * v) for n, v in views_of(model, (5, 9), rng).items()}
    levels = restorer.restore(**{n: v.astype("uint8") for n, v in views.items()})
    floats = restorer.restore(**{n: (v / 255).astype("f4") for n, v in views.items()})
    assert levels.dtype == np.uint8 and levels.std() > 1
    np.testing.assert_allclose(levels, 255 * floats, atol=0.51, rtol=0)
