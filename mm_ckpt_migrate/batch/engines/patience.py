"""A bound on how long a store may take to answer, whichever client waits for it."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, NoReturn

_AT_ONCE: Final = 1e-6


class TooLateError(Exception):
    """The time is over."""


@contextmanager
def within(seconds: float | None) -> Iterator[None]:
    """Interrupt what is done after so many seconds; None, or another thread, bounds nothing.

    By a signal: a timeout of a client's own is for each read, and a server that sends a byte a
    second keeps every one of them. A bound within another does not outlive it by more than itself.

    Raises:
        TooLateError: the time is over.
    """
    if seconds is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, _late)
    left, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    began = time.monotonic()
    try:
        yield
    finally:
        again = max(_AT_ONCE, left - (time.monotonic() - began)) if left else 0.0
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, again)


def _late(number: int, frame: FrameType | None) -> NoReturn:
    raise TooLateError
