"""A family's rules, as the planner uses them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

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
