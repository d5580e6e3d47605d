"""`Library`: the installed rule files, and those that the user adds, loaded together."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mm_ckpt_migrate.errors import FamilyError, RuleError
from mm_ckpt_migrate.mapping.rules.load import LOOKALIKES, load_lookalikes, load_ruleset
from mm_ckpt_migrate.mapping.rules.lookalikes import Lookalike, Project
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet
from mm_ckpt_migrate.resources import resource_folder


@dataclass(frozen=True, slots=True)
class Library:
    """All rule files: the families, and the files of others that are named and refused."""

    families: tuple[RuleSet, ...]
    lookalikes: tuple[Lookalike, ...]
    projects: tuple[Project, ...] = ()


def load_rules(more: Sequence[Path] = ()) -> Library:
    """The installed rule files, and more; raises RuleError where one is malformed."""
    folder = rules_folder()
    return Library(load_library(folder, more), *load_lookalikes(folder / LOOKALIKES))


def rules_folder() -> Path:
    """The folder of rule files: inside an installed package, at the top of a checkout.

    Raises:
        RuleError: there is none.
    """
    folder = resource_folder("rules", "rules")
    if folder is None:
        raise RuleError("rules", None, "the rule files are missing", hint="Install the tool again.")
    return folder


def load_library(folder: Path, more: Sequence[Path] = ()) -> tuple[RuleSet, ...]:
    """All families of a folder and of more files, by number and name.

    Raises:
        RuleError: a file cannot be read or is malformed, two files claim one name or number, or
            `next` leads nowhere.
    """
    library = sorted(
        map(load_ruleset, [*_rule_files(folder), *more]), key=lambda r: (r.number or 1000, r.family)
    )
    names = [name for rules in library for name in command_names(rules)]
    for name in names:
        if names.count(name) > 1:
            raise RuleError(folder, None, f"two rule files claim the family {name!r}")
    by_name = {rules.family: rules for rules in library}
    return tuple(_chained(rules, by_name, ()) for rules in library)


def _rule_files(folder: Path) -> list[Path]:
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise RuleError(folder, None, f"cannot be read: {error.strerror}") from error
    return [folder / name for name in names if name.endswith(".yaml") and name != LOOKALIKES]


def _chained(rules: RuleSet, library: Mapping[str, RuleSet], before: tuple[str, ...]) -> RuleSet:
    if rules.next_family is None:
        return rules
    if rules.next_family not in library or rules.next_family in (*before, rules.family):
        raise RuleError(rules.path, None, f"`next` leads to no family {rules.next_family!r}")
    following = _chained(library[rules.next_family], library, (*before, rules.family))
    return replace(rules, following=following)


def command_names(rules: RuleSet) -> list[str]:
    """What may be typed for the family: its name, and its number where it has one."""
    return [rules.family] + ([str(rules.number)] if rules.number is not None else [])


def family_named(library: tuple[RuleSet, ...], name: str) -> RuleSet:
    """Raises FamilyError, listing what there is, where no family has that name or number."""
    for rules in library:
        if name.lower() in command_names(rules):
            return rules
    known = ", ".join(f"{r.number} or {r.family}" if r.number else r.family for r in library)
    raise FamilyError(f"there are no rules for a family {name!r}", hint=f"Give {known}, or auto.")
