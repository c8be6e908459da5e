"""What one server takes: every bound that keeps it within its memory, in one place."""

import dataclasses

MEBIBYTE = 1 << 20


@dataclasses.dataclass(frozen=True)
class Limits:
    """Bounds of a server.

    Attributes:
        max_request_bytes: int, of one request's body or message.
        max_pixels: int, of all photographs of one request; a dual-pixel photograph's
            views count once. Files are measured by their headers, before decoding.
        max_requests: int, read, waiting or computed at a time; others get status 503.
        max_batch: int, photographs of one size and dtype computed in one call.
        max_batch_pixels: int, of all photographs of one call; a larger one goes alone.
        timeout: float [s], for a body to arrive, and then for its answer.
    """

    max_request_bytes: int = 64 * MEBIBYTE
    max_pixels: int = 12_000_000
    max_requests: int = 64
    max_batch: int = 8
    max_batch_pixels: int = 1_000_000
    timeout: float = 60.0
