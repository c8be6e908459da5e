"""What computes behind a server: a `Restorer`, or an `export.ExportedRestorer`."""

from typing import Protocol

import numpy as np

WARM_UP = 32  # [px], the side of a photograph that is restored before the first request


class Host(Protocol):
    """What a server needs of a network.

    Attributes:
        view_names: tuple of str, the views that a photograph has.
    """

    view_names: tuple[str, ...]

    def restore_batch(
        self, photographs: list[dict[str, np.ndarray]]
    ) -> list[np.ndarray] | np.ndarray:
        """Restores photographs of one size and dtype: one result each, alike."""


def warm_up(host: Host) -> None:
    """Restores one small photograph, so that no client waits for what is made once.

    Args:
        host: `Host`.

    Raises:
        Exception: what the network raises; a server with it is not to be started.
    """
    pixels = np.zeros((WARM_UP, WARM_UP, 3), np.uint8)
    host.restore_batch([dict.fromkeys(host.view_names, pixels)])
