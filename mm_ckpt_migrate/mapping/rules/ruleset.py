"""A family's rules, as the planner uses them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any, Final, TypeAlias

from mm_ckpt_migrate.errors import PlanError
from mm_ckpt_migrate.mapping.rules.pattern import Pattern
from mm_ckpt_migrate.names import safe_text


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
    """The order of operations that a family's rules assume in the layers of one transformer.

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
    """The order in which the new release registers the children of a module.

    Attributes:
        layers: pattern of a layer's module path; None for the model itself.
        children: names of all its children; others stay before them.
    """

    layers: Pattern | None
    children: tuple[str, ...]


Constant: TypeAlias = "bool | int | float | str | None"


@dataclass(frozen=True, slots=True)
class ConfigRule:
    """The changes to one kind of dict between the configs of the two releases.

    Names are the old ones, but in `keep`, and where a mapping's values say what becomes of them.

    Attributes:
        places: patterns of the dict's path in an old config; elements of a list count as the list.
        kinds: the only `type` it may have, which goes: the new release always builds that. Several
            are those of the elements of a list, by position.
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
    kinds: tuple[str, ...]
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

    def kind_at(self, path: tuple[str, ...]) -> str | None:
        """The `type` that the dict at a path has, where the rule says it."""
        if len(self.kinds) < 2:
            return self.kinds[0] if self.kinds else None
        position = int(path[-1]) if path[-1].isdecimal() else 0
        return self.kinds[position] if position < len(self.kinds) else None


class Absent(Enum):
    """No value at all, which None is not."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT


@dataclass(frozen=True, slots=True)
class Relocation:
    """A setting that another dict of the config has now. Done in their order, after all else.

    Attributes:
        source: its path, after the edits of the single dicts; None where it is new.
        target: its path now; None for what goes. A dict must be empty by then.
        value: a new setting's value, or what the old release took where it was left out.
        keep: it stays where it was, too.
        wrap: it is an element of a list now; several make one list, in their order.
        was: only where it has this value, which may have a scope before it, `value` replaces it.
        when: path of a flag, in the config as it was; without it nothing is relocated.
    """

    source: tuple[str, ...] | None
    target: tuple[str, ...] | None
    value: Any = ABSENT
    keep: bool = False
    wrap: bool = False
    was: str | None = None
    when: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Need:
    """A setting that the weights decide, where a config of the current release leaves it out.

    Attributes:
        key: where a state dict has such a key, the setting is needed.
        place: path of the dict that it belongs to.
        kind: `type` of that dict.
        settings: what is to be set.
        why: what happens otherwise.
    """

    key: Pattern
    place: tuple[str, ...]
    kind: str
    settings: Mapping[str, Constant]
    why: str


def attention_roles(operation_order: Iterable[str]) -> tuple[str, ...]:
    return tuple(step for step in operation_order if step.endswith("_attn"))


@dataclass(frozen=True, slots=True)
class Marks:
    """Patterns over the keys by which a family and its two layouts are recognised.

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
        next_family: name of the family that goes on from the names that these rules give, or None.
        mistake: what `control` does, for `with ...`.
        versions: new paths of modules whose state-dict version changed, and that version.
        parts: the new names of all that a model of the family has, or may have beside it; empty
            where that is not said.
        models: `type` of its models in a config.
        not_models: `type` of others that its keys might be some of.
        following: that family, where the rule files were loaded together.
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
    relocations: tuple[Relocation, ...]
    needs: tuple[Need, ...]
    versions: tuple[tuple[Pattern, int], ...]
    control: tuple[Rule, ...]
    mistake: str
    path: Path
    digest: str
    next_family: str | None = None
    parts: tuple[Pattern, ...] = ()
    models: tuple[str, ...] = ()
    not_models: tuple[str, ...] = ()
    following: RuleSet | None = None

    @property
    def last(self) -> RuleSet:
        """The family whose new names are those of the current release."""
        return self.following.last if self.following else self

    def unknown(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those of a migrated state dict's names that belong to no part the family knows."""
        parts = self.last.parts
        keys = ((name, tuple(name.split("."))) for name in (names if parts else ()))
        return tuple(name for name, key in keys if all(p.match(key) is None for p in parts))

    def version(self, path: str, old: int | None) -> int | None:
        """The version of a module, by its new path."""
        if old is None:
            return None
        parts = tuple(path.split("."))
        return next((new for pattern, new in self.versions if pattern.match(parts)), old)

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
        if self.following:
            return replace(self, following=self.following.with_control())
        wrong = {rule.source.text: rule for rule in self.control}
        right = tuple(rule for rule in self.rules if rule.source.text not in wrong)
        return replace(self, rules=(*right, *self.control))
