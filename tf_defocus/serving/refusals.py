"""Why a request is not answered: one reason for the client, with the status of HTTP."""

BAD_REQUEST = 400
NOT_FOUND = 404
TOO_SLOW = 408  # the body did not arrive in time
TOO_LARGE = 413
OVERLOADED = 503
TIMED_OUT = 504


class Refusal(ValueError):
    """A request is refused.

    Args:
        reason: str, one line: what was expected, what was received, what to do.
        status: int, the status of HTTP.
    """

    def __init__(self, reason: str, status: int = BAD_REQUEST) -> None:
        super().__init__(" ".join(reason.split()))
        self.status = status
