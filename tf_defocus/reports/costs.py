"""Costs as the papers count them: one convention each, by name.

What a "FLOP" is differs from paper to paper. The counts are those of
`graph_operations`; what each convention adds up was found from the papers' own numbers.
"""

import dataclasses
from collections.abc import Callable

from tf_defocus.export.graph_operations import Operation, count_operations, totals

LOCAL_SHIFTS = 81  # of K3DN's local correlation, 9 x 9
BANK = "summation"  # GKMNet's Gaussian filters: hooks on modules do not see them
KINDS = ("convolution", "transposed", "product", "transform")


@dataclasses.dataclass(frozen=True)
class Convention:
    """How a paper counts.

    Attributes:
        name: str.
        text: str, what it adds up.
        size: (width, height) [px], the image of the paper's numbers.
        count: function of (model, operations, height, width), a number.
    """

    name: str
    text: str
    size: tuple
    count: Callable


def _macs(model, operations, height, width):
    found = totals(operations)
    return sum(found.get(kind, 0) for kind in KINDS) + _local(model, height, width)


def _twice(model, operations, height, width):
    return 2 * _macs(model, operations, height, width)


def _twice_without_transposed(model, operations, height, width):
    return 2 * totals(operations).get("convolution", 0)


def _with_elementwise(model, operations, height, width):
    found = totals(operations)
    kinds = ("convolution", "transposed", "bias", "activation")
    return sum(found.get(kind, 0) for kind in kinds)


def _hooked(model, operations, height, width):
    found = totals([o for o in operations if not o.layer.startswith(BANK)])
    kinds = ("convolution", "transposed_at_outputs", "bias")
    return sum(found.get(kind, 0) for kind in kinds)


def _local(model, height, width):
    """K3DN's correlation with 81 neighbours: at each join of its decoder, or at 1/8."""
    blocks = getattr(model, "preservation", ())
    strides = (8,) if len(blocks) == 1 else (4, 2, 1)
    return sum(
        LOCAL_SHIFTS * block.query.filters * (height * width) // stride**2
        for block, stride in zip(blocks, strides)
    )


CONVENTIONS = {
    one.name: one
    for one in (
        Convention(
            "mac",
            "every multiply-add of convolutions, matrix products and transforms, once",
            (1280, 720),
            _macs,
        ),
        Convention(
            "kpac",
            "two per multiply-add of convolutions; transposed ones are left out",
            (1280, 720),
            _twice_without_transposed,
        ),
        Convention(
            "ifan",
            "one per multiply-add of convolutions, per bias and per leaky ReLU; the "
            "adaptive convolution is left out",
            (1280, 720),
            _with_elementwise,
        ),
        Convention(
            "gkmnet",
            "one per multiply-add, transposed convolutions at every output position, "
            "biases; the Gaussian filters are left out (their normalisation, 0.3 %, is "
            "part of the convolutions here)",
            (1680, 1120),
            _hooked,
        ),
        Convention(
            "k3dn",
            "one per multiply-add, local correlation included, at the size to which "
            "the test programs enlarge",
            (1792, 1152),
            _macs,
        ),
        Convention(
            "k3dn_compared",
            "one per multiply-add, at the photographs' own size: some of the compared "
            "networks in K3DN's table",
            (1680, 1120),
            _macs,
        ),
        Convention(
            "k3dn_twice",
            "two per multiply-add, at the photographs' own size: others of that table",
            (1680, 1120),
            _twice,
        ),
    )
}


def cost(model, convention="mac", size=None) -> tuple[float, list[Operation]]:
    """What a network costs on one image, as a paper counts.

    Args:
        model: built `models.base.RestorationNetwork`.
        convention: str, a key of `CONVENTIONS`.
        size: (width, height) [px], or None for the convention's own; enlarged to what
            the network divides by.

    Returns:
        (number, list of `graph_operations.Operation`).

    Raises:
        ValueError: for an unknown convention.
    """
    if convention not in CONVENTIONS:
        raise ValueError(
            f"Expected a convention of {sorted(CONVENTIONS)}. Received: {convention!r}"
        )
    chosen = CONVENTIONS[convention]
    width, height = size or chosen.size
    height, width = (
        step * -(-side // step)
        for side, step in zip((height, width), model.size_multiple)
    )
    operations = count_operations(model, height, width)
    return float(chosen.count(model, operations, height, width)), operations
