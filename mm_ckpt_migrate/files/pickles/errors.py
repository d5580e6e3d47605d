"""What can be wrong with a pickle stream."""

from __future__ import annotations


class PickleError(Exception):
    """The stream does what no genuine checkpoint does.

    Attributes:
        offset: byte offset in the stream.
    """

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(f"{reason} (byte {offset} of the pickle)")
        self.offset = offset
        self.reason = reason


class PickleLimitError(PickleError):
    """The stream exceeds a budget."""


class PickleCutShortError(PickleError):
    """The data ends before the stream does."""
