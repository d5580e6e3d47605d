"""`Assignment`: the pairs of keys that were derived, and how sure each of them is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeAlias

from mm_ckpt_migrate.configs.values import Config
from mm_ckpt_migrate.schema import Schema


class Level(IntEnum):
    """How sure a pair is; of several steps that lead to it, the least sure one counts."""

    CERTAIN = 0
    DECIDED = 1
    LIKELY = 2
    UNDECIDED = 3

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Reason:
    """One step of the evidence."""

    level: Level
    text: str


ONLY = Reason(Level.CERTAIN, "nothing else in its place has these shapes")
LEAVES = Reason(Level.LIKELY, "tensors of one shape go by their own names")
NUMBER = Reason(Level.LIKELY, "modules of one shape go by their numbers")
NAME = Reason(Level.LIKELY, "modules of one shape go by their names")
REST = Reason(Level.LIKELY, "it is the one left of its shapes when the others are paired by name")
STAYS = Reason(Level.LIKELY, "the others of its shapes in its place kept their names")
NAMESAKE = Reason(Level.LIKELY, "modules that differ in shape were paired by name first")
ORDER = Reason(Level.DECIDED, "the operation_order of the old config says which attention is which")
OUTPUTS = Reason(Level.DECIDED, "old and new code give equal outputs this way, and in no other")
EXCHANGEABLE = Reason(Level.UNDECIDED, "these have the same shapes and could be exchanged")


@dataclass(frozen=True, slots=True)
class Pair:
    """An old key, its new name, and every step that led there."""

    old: str
    new: str
    reasons: tuple[Reason, ...]

    @property
    def level(self) -> Level:
        return max((reason.level for reason in self.reasons), default=Level.CERTAIN)


@dataclass(frozen=True, slots=True)
class Tie:
    """Modules or tensors of the same shapes, of which neither shape nor name tells which is which.

    Attributes:
        olds, news: their paths, in the order in which they are paired.
        spare: further paths, old or new, that would fit as well.
        reason: what decided the order, where something did.
    """

    olds: tuple[str, ...]
    news: tuple[str, ...]
    spare: tuple[str, ...]
    reason: Reason

    @property
    def decided(self) -> bool:
        return self.reason.level < Level.UNDECIDED


# The paths of a tie's old members to those of the new ones that belong to them, in order.
Choices: TypeAlias = Mapping[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of exchangeable parts, beside their names.

    Attributes:
        config: of the old model, for its `operation_order`.
        choices: what the outputs of old and new code showed.
    """

    config: Config | None = None
    choices: Choices = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Assignment:
    """Old keys to new keys, and what was left over.

    Attributes:
        pairs: the keys that move, in old order.
        kept: keys that both layouts have, of one shape and dtype.
        ties: see `Tie`.
        lost, missing: old keys without a new name, and new ones without a source.
    """

    pairs: tuple[Pair, ...]
    kept: tuple[str, ...]
    ties: tuple[Tie, ...]
    lost: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def table(self) -> dict[str, str]:
        """New name of every old key; what is lost keeps its name."""
        return {key: key for key in (*self.kept, *self.lost)} | {p.old: p.new for p in self.pairs}

    @property
    def covers(self) -> bool:
        return not self.lost and not self.missing

    @property
    def open_ties(self) -> tuple[Tie, ...]:
        return tuple(tie for tie in self.ties if not tie.decided)


@dataclass(frozen=True, slots=True)
class DerivedRule:
    """One rule of the proposal, and the evidence of the keys that it moves."""

    source: str
    target: str
    reasons: tuple[Reason, ...]
    keys: int

    @property
    def level(self) -> Level:
        return max((reason.level for reason in self.reasons), default=Level.CERTAIN)


@dataclass(frozen=True, slots=True)
class Role:
    """What the old config says of the attentions of some layers."""

    layers: str
    config: str
    operation_order: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Layouts:
    """Both sides of a derivation, and what to call them."""

    old: Schema
    new: Schema
    old_origin: str
    new_origin: str


@dataclass(frozen=True, slots=True)
class Derivation:
    """A proposal.

    Attributes:
        text: the rule file; empty where there is nothing to rename.
        notices: what the user should know, one sentence each.
    """

    family: str
    assignment: Assignment
    rules: tuple[DerivedRule, ...]
    text: str
    notices: tuple[str, ...]

    @property
    def counts(self) -> Mapping[str, int]:
        """Rules by their level."""
        levels = [rule.level for rule in self.rules]
        return {level.word: levels.count(level) for level in Level if level in levels}
