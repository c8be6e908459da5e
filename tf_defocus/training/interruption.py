"""Ctrl-C and SIGTERM as requests: the step at hand ends, then the run stops."""

import contextlib
import signal
import threading

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Whether the process was asked to stop.

    Attributes:
        signal: signal.Signals that asked, or None.
    """

    def __init__(self):
        self.signal = None

    def _receive(self, number, _frame):
        if self.signal is not None:  # asked twice: at once
            raise KeyboardInterrupt
        self.signal = signal.Signals(number)


@contextlib.contextmanager
def stop_requests():
    """Inside, the first SIGINT or SIGTERM is noted; the second raises.

    A step that is interrupted would leave weights of one step beside the counter of
    another. Outside the main thread Python delivers no signal, and nothing is changed.

    Yields:
        `StopRequest`.

    Raises:
        KeyboardInterrupt: when a second signal arrives.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    previous = {number: signal.signal(number, request._receive) for number in SIGNALS}
    try:
        yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
