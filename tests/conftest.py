"""What every test needs of the machine."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """A shell starts what runs in its background deaf to Ctrl-C, and children inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
