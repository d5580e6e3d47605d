"""How a state dict differs from another layout."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from mm_ckpt_migrate.identify.layouts.outline import outline, outlined
from mm_ckpt_migrate.names import fold
from mm_ckpt_migrate.schema import Schema

_COUNTER: Final = ".num_batches_tracked"


@dataclass(frozen=True, slots=True)
class Reshaped:
    """A key that both have, with two shapes."""

    name: str
    have: tuple[int, ...]
    want: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.name} is {list(self.have)}, not {list(self.want)}"

    @property
    def growth(self) -> int | None:
        """By how much it is longer along the one side where it differs; None for several."""
        pairs = list(zip(self.have, self.want, strict=False))
        grown = [have - want for have, want in pairs if have != want]
        return grown[0] if len(self.have) == len(self.want) and len(grown) == 1 else None


@dataclass(frozen=True, slots=True)
class Difference:
    """What a state dict has otherwise than a layout. Element types are not counted.

    Attributes:
        missing: keys that the layout alone has.
        unexpected: keys that the state dict alone has.
        reshaped: keys of both, with different shapes.
        explained: whether the missing and unexpected keys are those of more or fewer layers, or
            batch norm's counters, which old files lack.
        lacking: where it is only a part of the model, the parts that it lacks.
    """

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    reshaped: tuple[Reshaped, ...]
    explained: bool
    lacking: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.reshaped)

    @property
    def of_classes(self) -> bool:
        """Whether it is as with another number of classes: in steps of one size, one way."""
        steps = [reshaped.growth for reshaped in self.reshaped]
        if self.missing or self.unexpected or not steps or None in steps:
            return False
        grown = [step for step in steps if step is not None]
        smallest = min(grown, key=abs)
        return all(step % smallest == 0 and step // smallest > 0 for step in grown)

    def lines(self) -> list[str]:
        """One line for each group of keys."""
        return [
            *(f"missing: {line}" for line in fold(self.missing)),
            *(f"unexpected: {line}" for line in fold(self.unexpected)),
            *fold(map(str, self.reshaped)),
        ]


def difference(have: Schema, want: Schema) -> Difference:
    """What `have` has otherwise than `want`."""
    missing = tuple(name for name in want.names if name not in have)
    unexpected = tuple(name for name in have.names if name not in want)
    common = [(spec, want[spec.name]) for spec in have.tensors if spec.name in want]
    reshaped = tuple(Reshaped(a.name, a.shape, b.shape) for a, b in common if a.shape != b.shape)
    whole = not unexpected and not reshaped
    return Difference(
        missing,
        unexpected,
        reshaped,
        _explained((*missing, *unexpected), (spec.name for spec, _ in common)),
        _lacking(missing, have.names) if whole else (),
    )


def _explained(odd: Iterable[str], common: Iterable[str]) -> bool:
    known = outline(common)
    return all(name.endswith(_COUNTER) or outlined(name) in known for name in odd)


def _lacking(missing: Iterable[str], names: Iterable[str]) -> tuple[str, ...]:
    """The modules of the model that all missing keys are in, where it has nothing of them."""
    there = {name.partition(".")[0] for name in names}
    parts = dict.fromkeys(name.partition(".")[0] for name in missing)
    return () if there & parts.keys() else tuple(parts)
