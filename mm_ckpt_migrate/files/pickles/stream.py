"""The bytes of a pickle stream, and what is said of an offset in them."""

from __future__ import annotations

from mm_ckpt_migrate.files.pickles import limits
from mm_ckpt_migrate.files.pickles import opcodes as op
from mm_ckpt_migrate.files.pickles.errors import PickleCutShortError, PickleError, PickleLimitError


class Stream:
    """Bytes in which a stream begins at `start`; what lies before it belongs to something else."""

    def __init__(self, data: bytes, start: int) -> None:
        self.data = data
        self.start = start

    def expect_protocol_2(self) -> int:
        at = self.start
        if self.take(at, 1) != op.PROTO:
            raise self.error(at, "not a pickle of protocol 2")
        protocol = self.take(at + 1, 1)[0]
        if protocol != 2:
            raise self.error(at, f"pickle protocol {protocol}; torch.save writes protocol 2")
        return at + 2

    def error(self, at: int, reason: str) -> PickleError:
        return PickleError(at - self.start, reason)

    def limit(self, at: int, reason: str) -> PickleLimitError:
        return PickleLimitError(at - self.start, reason)

    def take(self, at: int, size: int) -> bytes:
        taken = self.data[at : at + size]
        if len(taken) != size:
            raise self.cut_short(at)
        return taken

    def cut_short(self, at: int) -> PickleCutShortError:
        return PickleCutShortError(at - self.start, "the pickle is cut short")

    def line(self, at: int) -> tuple[str, int]:
        """A line, and the offset behind it."""
        end = self.data.find(b"\n", at, at + limits.MAX_NAME_BYTES)
        if end < 0:
            if len(self.data) - at < limits.MAX_NAME_BYTES:
                self.take(at, limits.MAX_NAME_BYTES)
            raise self.error(at, "a global's name has no end")
        try:
            return self.data[at:end].decode("ascii"), end + 1
        except UnicodeDecodeError:
            raise self.error(at, "a global's name is not ASCII") from None
