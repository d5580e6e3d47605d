"""Changes of a tensor's values that a rule file may name: one tensor folded into another.

They round, so no inverse is exact: the way back is the original file.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import cycle
from operator import add
from typing import Any, Final, TypeAlias

from mm_ckpt_migrate.errors import PlanError

Shape: TypeAlias = tuple[int, ...]
Numbers: TypeAlias = "array[float]"


@dataclass(frozen=True, slots=True)
class Fold:
    """A tensor that goes, because another one does for both.

    Attributes:
        operation: name of one of `OPERATIONS`.
        source, into: keys in the old file of the one that goes and the one that changes.
        why: what becomes of it, for people.
    """

    operation: str
    source: str
    into: str
    why: str

    def to_json(self) -> dict[str, str]:
        return {"operation": self.operation, "from": self.source, "into": self.into, "why": self.why}


def fold_from_json(data: Any) -> Fold:
    """Read what `to_json` wrote; raises KeyError or TypeError, or PlanError."""
    fold = Fold(*(str(data[name]) for name in ("operation", "from", "into", "why")))
    if fold.operation not in OPERATIONS:
        raise PlanError("the plan folds a tensor by an operation that this tool does not know")
    return fold


@dataclass(frozen=True, slots=True)
class Operation:
    """One way to fold.

    Attributes:
        fits: whether the shapes of `source` and `into` go together.
        apply: gives the new values of `into`; sums are rounded to its element type, to nearest.
    """

    fits: Callable[[Shape, Shape], bool]
    apply: Callable[[Numbers, Numbers], Numbers]


def _is_embedding(source: Shape, into: Shape) -> bool:
    """A vector, and 1 x (class token and others) x its length."""
    return len(into) == 3 and into[0] == 1 and into[1] > 1 and source == into[2:] and source[0] > 0


def _add_to_tokens(vector: Numbers, embedding: Numbers) -> Numbers:
    """Add to every token but the first, which is the class token's."""
    width = len(vector)
    sums = map(add, embedding[width:], cycle(vector))
    return embedding[:width] + array(embedding.typecode, sums)


OPERATIONS: Final[Mapping[str, Operation]] = {"add_to_tokens": Operation(_is_embedding, _add_to_tokens)}
