"""Which rows of a batch each device computes, and what they count.

A batch of B rows is computed in P parts, one after the other, each by D devices. Row r
belongs to part r % P, whatever D is, so batch moments are the same for any number of
devices; of its part, it is the example r // P, and device (r // P) % D has it.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Piece:
    """What one device computes of one part of a batch.

    Attributes:
        rows: tuple of int, rows of the batch. A device for which a part has none takes
            the part's first one, which then counts nothing: all devices must take part
            in every reduction.
        places: tuple of int, the rows' places among those of the part.
        size: int, examples of the part.
        share: float, examples here over those of the part.
        weight: float, examples here over those of the batch.
    """

    rows: tuple[int, ...]
    places: tuple[int, ...]
    size: int
    share: float
    weight: float


def device_pieces(
    device: int, batch_size: int, parts: int, devices: int
) -> tuple[Piece, ...]:
    """The pieces of one device, one for each part.

    Args:
        device: int from 0, which one.
        batch_size: int, examples of the whole batch, at least `parts`.
        parts: int, how many parts a batch is computed in.
        devices: int, how many there are, in all processes together.
    """
    pieces = []
    for part in range(parts):
        rows = range(part, batch_size, parts)
        places = tuple(range(device, len(rows), devices))
        here = len(places)
        places = places or (0,)
        pieces.append(
            Piece(
                rows=tuple(rows[place] for place in places),
                places=places,
                size=len(rows),
                share=here / len(rows),
                weight=here / batch_size,
            )
        )
    return tuple(pieces)


def check_batch_sizes(recipe, devices, uneven):
    """Refuses batch sizes that do not divide among devices and accumulations.

    Args:
        recipe: `Recipe`.
        devices: int, in all processes together.
        uneven: bool, take any batch that has an example for every accumulation.

    Raises:
        ValueError: naming the nearest sizes that would do.
    """
    parts = recipe.accumulation_steps
    unit = parts * devices
    for size in (batch_size for _, _, batch_size in recipe.crops):
        if uneven and size < parts:
            raise ValueError(
                f"batch_size must be at least accumulation_steps = {parts}. "
                f"Received: batch_size={size}"
            )
        if size % unit and not uneven:
            near = [n for n in (size // unit * unit, -(-size // unit) * unit) if n]
            raise ValueError(
                f"batch_size must divide by accumulation_steps x devices = {unit}; "
                f"{' or '.join(map(str, near))} would, or --uneven takes any. "
                f"Received: batch_size={size}"
            )
