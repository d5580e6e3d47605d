"""A family's rules, as the planner uses them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from mm_ckpt_migrate.errors import PlanError
from mm_ckpt_migrate.keys import safe_text
from mm_ckpt_migrate.ruleset.pattern import Pattern


@dataclass(frozen=True, slots=True)
class Rule:
    """Moves the keys that `source` matches to what `target` names; drops them where it is None."""

    source: Pattern
    target: Pattern | None
    optional: bool = False

    def __str__(self) -> str:
        return f"{self.source.text} -> {self.target.text if self.target else '(dropped)'}"

    def apply(self, parts: tuple[str, ...], *, module: bool = False) -> str | None:
        """The new name of a key that matches, or of a module's path."""
        found = self.source.match(parts, empty_rest=module)
        assert found is not None
        return self.target.fill(found) if self.target else None


@dataclass(frozen=True, slots=True)
class Role:
    """What a family assumes about the layers of one transformer.

    Attributes:
        layers: pattern of a layer's module path.
        config: path below `model` of the old config's `transformerlayers`.
        operation_order: the old config's `operation_order` that the rules are right for.
    """

    layers: Pattern
    config: Pattern
    operation_order: tuple[str, ...]

    @property
    def attentions(self) -> tuple[str, ...]:
        """Role of each attention by its index in the old list."""
        return attention_roles(self.operation_order)


@dataclass(frozen=True, slots=True)
class ModuleOrder:
    """In which order the new release registers the children of each layer.

    Attributes:
        layers: pattern of a layer's module path.
        children: names of all its children; others stay before them.
    """

    layers: Pattern
    children: tuple[str, ...]


Constant: TypeAlias = "bool | int | float | str"


@dataclass(frozen=True, slots=True)
class ConfigRule:
    """How the settings of one kind of dict change between the configs of the two releases.

    Names are the old ones, but in `keep`, and where a mapping's values say what becomes of them.

    Attributes:
        places: patterns of the dict's path in an old config; elements of a list count as the list.
        kind: the only `type` it may have, which goes: the new release always builds that.
        rename: setting to its new name.
        split: setting to its new names, by position where its value is a list.
        move: setting to the setting and the name below it where it belongs now.
        copy: the same, for what was also used there where that did not say it.
        flags: what the new release wants where the old one wanted the opposite.
        drop: setting to the only value that it may have had, as the new release always has it.
        unused: settings that the old release took and did not use.
        defaults: what the old release took, unlike the new one, where a setting was absent.
        keep: all that both releases take, and the new names, which are put in this order.
    """

    places: tuple[Pattern, ...]
    kind: str | None
    rename: Mapping[str, str]
    split: Mapping[str, tuple[str, ...]]
    move: Mapping[str, tuple[str, str]]
    copy: Mapping[tuple[str, str], tuple[str, str]]
    flags: Mapping[str, bool]
    drop: Mapping[str, Constant]
    unused: tuple[str, ...]
    defaults: Mapping[str, Constant]
    keep: tuple[str, ...]

    def governs(self, path: tuple[str, ...]) -> bool:
        return any(place.match(path) is not None for place in self.places)


def attention_roles(operation_order: Iterable[str]) -> tuple[str, ...]:
    return tuple(step for step in operation_order if step.endswith("_attn"))


@dataclass(frozen=True, slots=True)
class Marks:
    """How a family and its layouts are recognised: patterns over the keys.

    Attributes:
        present: each must match some key.
        absent: none may match any key.
        old, new: keys that only the old or the new layout has.
    """

    present: tuple[Pattern, ...]
    absent: tuple[Pattern, ...]
    old: tuple[Pattern, ...]
    new: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class RuleSet:
    """One family's rule file.

    Attributes:
        number: short name on the command line, or None.
        digest: SHA-256 of the file, in hex.
    """

    family: str
    number: int | None
    title: str
    released_from: str
    released_to: str
    why: str
    upstream: tuple[str, ...]
    marks: Marks
    rules: tuple[Rule, ...]
    roles: tuple[Role, ...]
    order: tuple[ModuleOrder, ...]
    config: tuple[ConfigRule, ...]
    control: tuple[Rule, ...]
    path: Path
    digest: str

    def best_rule(self, key: str, *, module: bool = False) -> Rule | None:
        """The most literal rule that matches.

        Raises:
            PlanError: two rules match equally well.
        """
        parts = tuple(key.split("."))
        hits = [r for r in self.rules if r.source.match(parts, empty_rest=module) is not None]
        if len(hits) < 2:
            return hits[0] if hits else None
        hits.sort(key=lambda rule: rule.source.specificity, reverse=True)
        if hits[0].source.specificity == hits[1].source.specificity:
            raise PlanError(
                f"{self.path}: two rules fit the key {safe_text(key)!r} equally well: "
                f"{hits[0]}, and {hits[1]}",
                hint="Make one of the two patterns more literal.",
            )
        return hits[0]

    def with_control(self) -> RuleSet:
        """The same family with the deliberate error that the forward rung must catch."""
        wrong = {rule.source.text: rule for rule in self.control}
        return replace(self, rules=tuple(wrong.get(r.source.text, r) for r in self.rules))


@dataclass(frozen=True, slots=True)
class Lookalike:
    """A file that looks like one of ours and is not."""

    name: str
    present: tuple[Pattern, ...]
    advice: str
