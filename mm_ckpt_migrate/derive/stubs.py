"""Write pairs of keys as pairs of patterns: prefixes, with `{i}` where numbers go along."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

from mm_ckpt_migrate.derive.assignment import Pair
from mm_ckpt_migrate.derive.tree import common_start
from mm_ckpt_migrate.errors import PlanError
from mm_ckpt_migrate.mapping.rules.fields import SEGMENT
from mm_ckpt_migrate.mapping.rules.pattern import REST
from mm_ckpt_migrate.names import safe_text

_LETTERS: Final = "ijklmnopqrstuvwxyz"

Name = TypeVar("Name")
Segments: TypeAlias = tuple[str, ...]
# Source and target of a rule, as they are written.
Texts: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Stub:
    """What a rule for one pair starts from.

    Attributes:
        old, new: prefixes of the two keys, or the keys.
        rest: whether what follows is left to `**`.
        literal: numbers stay numbers.
    """

    old: Segments
    new: Segments
    rest: bool
    literal: bool

    @property
    def kind(self) -> tuple[object, ...]:
        """What it has in common with those that differ in numbers alone."""
        return without_numbers(self.old), without_numbers(self.new), self.rest, self.literal


def without_numbers(segments: Sequence[str]) -> Segments:
    return tuple("#" if segment.isdecimal() else segment for segment in segments)


def numbered(path: str) -> str:
    """A pattern for the path of a module, whatever the numbers in it."""
    letters = iter(_LETTERS)
    segments = without_numbers(path.split("."))
    return ".".join(f"{{{next(letters)}}}" if s == "#" else s for s in segments)


def make_stub(pair: Pair, step: int) -> Stub:
    """The shortest prefixes at step 0; longer by one segment at each; in the end the plain keys.

    Raises:
        PlanError: what must be spelt out cannot be written in a rule file.
    """
    old, new = tuple(pair.old.split(".")), tuple(pair.new.split("."))
    # Both sides keep one segment: `**` alone would match every key.
    rest = min(common_start((old[::-1], new[::-1])), len(old) - 1, len(new) - 1) - step
    if rest > 0:
        old, new = old[:-rest], new[:-rest]
    for segment in (*old, *new):
        if not SEGMENT.fullmatch(segment):
            raise PlanError(
                f"no rule can name {safe_text(segment)!r} in {safe_text(pair.old)!r}, as patterns "
                "have letters, digits, `_` and `-` only",
                hint="Rename it in the model's code, or write the mapping in Python.",
            )
    return Stub(old, new, rest > 0, rest < 0)


def write_stubs(stubs: Mapping[Name, Stub]) -> dict[Name, Texts]:
    """The patterns of each; those that share them share a rule."""
    kinds: dict[tuple[object, ...], list[Name]] = {}
    for name, stub in stubs.items():
        kinds.setdefault(stub.kind, []).append(name)
    written: dict[Name, Texts] = {}
    for names in kinds.values():
        members = [stubs[name] for name in names]
        places = {} if members[0].literal else _common_numbers(members)
        written |= {name: _write(stubs[name], places) for name in names}
    return {name: written[name] for name in stubs}


def _common_numbers(stubs: Sequence[Stub]) -> dict[int, int]:
    """Places in the old prefix to places in the new one that have the same number in all stubs.

    A number that is the same everywhere goes along only behind the same word: in `attentions.0`
    and `convs.0` it says different things.
    """
    first = stubs[0]
    found: dict[int, int] = {}
    for here in _numbers(first.old):
        varies = len({stub.old[here] for stub in stubs}) > 1
        fitting = [
            there
            for there in _numbers(first.new)
            if there not in found.values() and all(stub.old[here] == stub.new[there] for stub in stubs)
        ]
        named = [there for there in fitting if first.old[:here][-1:] == first.new[:there][-1:]]
        if choice := named or (fitting if varies else []):
            found[here] = choice[0]
    return found


def _numbers(segments: Segments) -> Iterable[int]:
    return [place for place, segment in enumerate(segments) if segment.isdecimal()]


def _write(stub: Stub, places: Mapping[int, int]) -> Texts:
    old, new = list(stub.old), list(stub.new)
    for letter, (here, there) in zip(_LETTERS, places.items(), strict=False):
        old[here] = new[there] = f"{{{letter}}}"
    end = [REST] if stub.rest else []
    return ".".join([*old, *end]), ".".join([*new, *end])
