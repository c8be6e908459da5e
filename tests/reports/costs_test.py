"""Counted costs against the papers' printed ones, and against counting by hand."""

import math

import pytest

tf = pytest.importorskip("tensorflow", reason="costs are counted in TensorFlow's graph")

from tf_defocus.export import graph_operations  # noqa: E402
from tf_defocus.models import create_model  # noqa: E402
from tf_defocus.reports import costs  # noqa: E402


@pytest.mark.parametrize(
    ("convention", "name", "overrides", "printed"),
    [
        ("kpac", "kpac_2level", {}, 358.0),
        ("kpac", "kpac_3level", {}, 197.0),
        ("ifan", "ifan", {"num_iterations": 8}, 347.9),
        ("ifan", "ifan", {}, 362.9),
        ("ifan", "ifan", {"num_iterations": 44}, 407.8),
        ("gkmnet", "gkmnet", {"variant": "released"}, 603.5),
        ("k3dn", "k3dn_tiny", {"variant": "released"}, 571.0),
        ("k3dn", "k3dn_large", {"variant": "released"}, 3352.0),
    ],
)
def test_counts_agree_with_the_papers_within_a_percent(
    convention, name, overrides, printed
):
    number, _ = costs.cost(create_model(name, **overrides), convention)
    assert number / 1e9 == pytest.approx(printed, rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("convention", "name", "printed"),
    [
        ("ifan", "dmenet", 1172.5),
        ("k3dn", "restormer_dual", 4458.0),
        ("k3dn_compared", "drbnet_dual", 1273.0),
        ("k3dn_compared", "bambnet", 1804.0),
        ("k3dn_twice", "rdpd", 901.0),
    ],
)
def test_counts_of_compared_networks_agree_too(convention, name, printed):
    number, _ = costs.cost(create_model(name), convention)
    assert number / 1e9 == pytest.approx(printed, rel=0.01)


def test_what_is_computed_strip_by_strip_counts_in_full():
    small = {"base_filters": 4, "num_blocks": (1,) * 4, "num_heads": (1, 2, 2, 2)}
    model = create_model("restormer", **small)
    one, four = (
        graph_operations.totals(graph_operations.count_operations(model, rows, 16))
        for rows in (32, 128)  # one strip, and several
    )
    assert four["convolution"] == 4 * one["convolution"]


def test_dpdnet_is_what_its_layers_say():
    """All its layers are convolutions at known sizes."""
    model = create_model("dpdnet_single", base_filters=2)
    height, width, expected = 32, 48, 0
    levels = [*enumerate(model.encoder), *zip((3, 2, 1, 0), model.decoder)]
    levels.append((0, (model.colors, model.mixing)))
    for level, layers in levels:
        pixels = height * width // 4**level
        expected += sum(pixels * math.prod(layer.kernel.shape) for layer in layers)
    number, operations = costs.cost(model, "mac", size=(width, height))
    assert number == expected
    assert {o.kind for o in operations} == {"convolution", "bias"}
    assert operations[0].layer == "conv1_1"


def test_a_transposed_convolution_counts_at_its_inputs_or_at_its_outputs():
    """KPAC's: 4x4 kernels that double the size, so four times as many outputs."""
    operations = graph_operations.count_operations(
        create_model("kpac_2level", base_filters=3), 8, 12
    )
    found = graph_operations.totals(operations)
    # to 4x6 from 2x3 with 6 -> 3 channels, to 8x12 from 4x6 with 3 -> 3
    by_hand = 2 * 3 * 16 * 6 * 3 + 4 * 6 * 16 * 3 * 3
    assert found["transposed"] == by_hand
    assert found["transposed_at_outputs"] == 4 * by_hand


def test_sizes_that_do_not_divide_and_unknown_conventions_are_refused():
    model = create_model("kpac_2level", base_filters=3)
    with pytest.raises(ValueError, match="must divide by"):
        graph_operations.count_operations(model, 9, 12)
    with pytest.raises(ValueError, match="Expected a convention of"):
        costs.cost(model, "flops")
