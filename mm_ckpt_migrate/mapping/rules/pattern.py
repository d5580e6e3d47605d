"""Dotted patterns: a literal segment, `{name}` for any one segment, a final `**` for the rest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

REST: Final = "**"
_LITERAL: Final = re.compile(r"[A-Za-z0-9_-]+")
_CAPTURE: Final = re.compile(r"\{([a-z][a-z0-9_]*)\}")


class PatternError(ValueError):
    """The text is not a pattern of the grammar."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern for whole keys.

    Attributes:
        text: as it stands in the rule file.
        segments: literal text, or `{name}`.
        has_rest: whether it ends in `**`.
        choices: for some captures, the only segments they may stand for.
        starts: the first segments that a key may have, or None where any will do.
    """

    text: str
    segments: tuple[str, ...]
    has_rest: bool
    choices: Mapping[str, frozenset[str]]
    starts: frozenset[str] | None

    @property
    def captures(self) -> tuple[str, ...]:
        return tuple(m.group(1) for s in self.segments if (m := _CAPTURE.fullmatch(s)))

    @property
    def specificity(self) -> tuple[int, bool]:
        """More literal segments win; with as many, the pattern without `**` does."""
        literal = sum(not segment.startswith("{") for segment in self.segments)
        return literal, not self.has_rest

    def match(self, parts: tuple[str, ...], *, empty_rest: bool = False) -> dict[str, str] | None:
        """The captures, with the rest under `**`, or None where the key does not match.

        `**` stands for one segment or more; with `empty_rest` for none too, which is how the
        path of a module matches the pattern of its tensors.
        """
        if self.starts is not None and parts[0] not in self.starts:
            return None
        head = len(self.segments)
        if len(parts) < head or (len(parts) > head and not self.has_rest):
            return None
        if self.has_rest and len(parts) == head and not empty_rest:
            return None
        found = {REST: ".".join(parts[head:])}
        for segment, part in zip(self.segments, parts, strict=False):
            # A key may itself have a segment `{i}`, which is text like any other.
            fits = self._bind(segment[1:-1], part, found) if segment[0] == "{" else segment == part
            if not fits:
                return None
        return found

    def _bind(self, name: str, part: str, found: dict[str, str]) -> bool:
        if name in self.choices and part not in self.choices[name]:
            return False
        return found.setdefault(name, part) == part

    def fill(self, found: Mapping[str, str]) -> str:
        """The key that this pattern names, given the captures of another's match."""
        parts = [found[s[1:-1]] if s.startswith("{") else s for s in self.segments]
        if self.has_rest and found[REST]:
            parts.append(found[REST])
        return ".".join(parts)


def compile_pattern(text: str, choices: Mapping[str, frozenset[str]]) -> Pattern:
    """Read a pattern.

    Raises:
        PatternError: it is empty or malformed, or `**` stands elsewhere than at the end.
    """
    segments = text.split(".")
    has_rest = segments[-1] == REST
    if has_rest:
        segments.pop()
    for segment in segments:
        if not (_LITERAL.fullmatch(segment) or _CAPTURE.fullmatch(segment)):
            raise PatternError(f"{segment!r} in {text!r} is no segment of a pattern")
    if not segments:
        raise PatternError(f"{text!r} would match every key")
    first = segments[0]
    starts = choices.get(first[1:-1]) if first.startswith("{") else frozenset((first,))
    return Pattern(text=text, segments=tuple(segments), has_rest=has_rest, choices=choices, starts=starts)
