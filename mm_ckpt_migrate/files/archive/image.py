"""A file to be written: literal bytes, and ranges to be copied from the source as they stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Extent:
    """A range of the source that holds one storage.

    Attributes:
        key: the storage's key in the source.
        offset: first byte in the source file.
        size: length in bytes.
        crc: CRC-32 that the source's container records, or None where it records none.
    """

    key: str
    offset: int
    size: int
    crc: int | None = None


Piece: TypeAlias = bytes | Extent


def piece_size(piece: Piece) -> int:
    return piece.size if isinstance(piece, Extent) else len(piece)


@dataclass(frozen=True, slots=True)
class Composition:
    """A new file whose head is known but for the source's digest in its stamp.

    Attributes:
        head: the pickle or the header.
        compose: lays the file out around a head of the same length.
    """

    head: bytes
    compose: Callable[[bytes], Image]


@dataclass(frozen=True, slots=True)
class Image:
    """The pieces of a file in order."""

    pieces: Sequence[Piece]

    @property
    def size(self) -> int:
        return sum(map(piece_size, self.pieces))

    def literals(self) -> Iterator[tuple[int, bytes]]:
        """Offset in the new file, and bytes."""
        for offset, piece in self._placed():
            if isinstance(piece, bytes):
                yield offset, piece

    def extents(self) -> Iterator[tuple[int, Extent]]:
        """Offset in the new file, and the range of the source that goes there."""
        for offset, piece in self._placed():
            if isinstance(piece, Extent):
                yield offset, piece

    def _placed(self) -> Iterator[tuple[int, Piece]]:
        offset = 0
        for piece in self.pieces:
            yield offset, piece
            offset += piece_size(piece)
