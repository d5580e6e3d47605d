"""Turn a config of the old release into one that the current release builds, value by value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Final

from mm_ckpt_migrate.configs.edits import Edit, Path, dotted, edited_config
from mm_ckpt_migrate.configs.migrate.needs import needed
from mm_ckpt_migrate.configs.migrate.relocate import relocated
from mm_ckpt_migrate.configs.migrate.settings import (
    ORDER_KEY,
    NoCounterpartError,
    edits_of_dict,
    of_kind,
    stated_order,
)
from mm_ckpt_migrate.configs.values import Config, ConfigValue
from mm_ckpt_migrate.errors import ConfigError
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet
from mm_ckpt_migrate.names import safe_text

MODEL_KEY: Final = "model"


@dataclass(frozen=True, slots=True)
class MigratedConfig:
    """A config for the current release.

    Attributes:
        config: the whole config; what did not change is shared with the old one.
        family: the family whose rules were used, or None where the config is of the current
            release already.
        edits: what was done to it.
    """

    config: Config
    family: str | None
    edits: tuple[Edit, ...]

    @property
    def changes(self) -> tuple[str, ...]:
        """Each edit as a sentence."""
        return tuple(map(str, self.edits))


def migrate_config(
    config: Config, families: Sequence[RuleSet], origin: str | FilePath, keys: Iterable[str] | None = None
) -> MigratedConfig:
    """Change the settings that the release of `config` had and the current one has not.

    Args:
        config: stays as it is.
        origin: names it in errors.
        keys: of the state dict that the config is for, which decide some settings.

    Raises:
        ConfigError: it has no part that the rules know, mixes both releases' settings, fits no
            family or several, or has a setting without a counterpart.
    """
    known = [rules for rules in families if rules.config or rules.relocations]
    tables = list(_dicts(config.get(MODEL_KEY), (MODEL_KEY,), (MODEL_KEY,)))
    old = [place for rules in known for place in _marks(rules, tables, old=True)]
    new = [place for rules in known for place in _marks(rules, tables, old=False)]
    if not old and (new or keys is not None):
        puts = tuple(needed(config, keys or (), families))
        return MigratedConfig(edited_config(config, puts) if puts else config, None, puts)
    _check_old(old, new, known, origin)
    family = _family(known, tables, origin)
    try:
        edits = list(_edits(family, tables))
        edits += relocated(edited_config(config, edits), config, family.relocations)
        edits += needed(edited_config(config, edits), keys or (), families)
    except NoCounterpartError as error:
        raise ConfigError(origin, str(error)) from error
    return MigratedConfig(edited_config(config, edits), family.family, tuple(edits))


def _check_old(
    old: Sequence[str], new: Sequence[str], known: Sequence[RuleSet], origin: str | FilePath
) -> None:
    if not old:
        families = ", ".join(rules.family for rules in known)
        raise ConfigError(
            origin,
            "it has no setting that differs between the releases: nothing to migrate",
            hint=f"There are rules for the configs of {families}.",
        )
    if new:
        raise ConfigError(
            origin,
            f"half of it is for the current release: it has {old[0]}, and {new[0]}",
            hint="Give the config that the model was trained with; the checkpoint may hold it.",
        )


def is_old(config: Config, families: Sequence[RuleSet]) -> bool:
    """Whether it has a setting that only an old release has."""
    tables = list(_dicts(config.get(MODEL_KEY), (MODEL_KEY,), (MODEL_KEY,)))
    return any(any(_marks(rules, tables, old=True)) for rules in families)


@dataclass(frozen=True, slots=True)
class _Table:
    """A dict of the config: its path, the same without positions in lists, and its settings."""

    path: Path
    names: Path
    settings: Config


def _dicts(value: ConfigValue, path: Path, names: Path) -> Iterator[_Table]:
    if isinstance(value, dict):
        yield _Table(path, names, value)
        for key, item in value.items():
            yield from _dicts(item, (*path, key), (*names, key))
    elif isinstance(value, (list, tuple)):
        for position, item in enumerate(value):
            yield from _dicts(item, (*path, str(position)), names)


def _marks(rules: RuleSet, tables: Sequence[_Table], *, old: bool) -> Iterator[str]:
    """Settings that only one of the releases has, as dotted paths."""
    moving = _moving(rules)
    places = {source if old else target for source, target in moving}
    for table in tables:
        yield from (dotted(table.path, k) for k in table.settings if (*table.path, k) in places)
        names = table.names if old else _former(moving, table.names)
        for rule in rules.config:
            if rule.governs(names):
                marks = {*rule.rename, *rule.split} if old else set(rule.rename.values())
                yield from (dotted(table.path, key) for key in table.settings if key in marks)


def _former(moving: Iterable[tuple[Path, Path]], names: Path) -> Path:
    """Where a dict of the current release was in the old one."""
    for source, target in moving:
        if names[: len(target)] == target:
            return (*source, *names[len(target) :])
    return names


def _moving(rules: RuleSet) -> list[tuple[Path, Path]]:
    """Old and new place of the settings that another dict has now, and nowhere else."""
    return [
        (relocation.source, relocation.target)
        for relocation in rules.relocations
        if relocation.source and relocation.target
        if relocation.source[:-1] != relocation.target[:-1]
        if not (relocation.keep or relocation.wrap)
    ]


def _order_of(rules: RuleSet, names: Path) -> tuple[str, ...] | None:
    """The `operation_order` that the rules are right for, where `names` leads to a layer."""
    for role in rules.roles:
        if names[:1] == (MODEL_KEY,) and len(names) > 1 and role.config.match(names[1:]):
            return role.operation_order
    return None


def _family(known: Sequence[RuleSet], tables: Sequence[_Table], origin: str | FilePath) -> RuleSet:
    """The one family whose layers compute in the order that the config states."""
    orders = {rules.family: _orders(rules, tables) for rules in known}
    fitting = [r for r in known if _fits(r, tables, orders[r.family])]
    if len(fitting) > 1:
        fitting = [rules for rules in fitting if _of_kinds(rules, tables)] or fitting[:1]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(r.family for r in fitting or [r for r in known if orders[r.family]] or known)
    for path in () if fitting else {path: None for stated in orders.values() for path in stated}:
        words = [stated[path] for stated in orders.values() if path in stated]
        if all(words):
            raise ConfigError(origin, f"{words[0]}, which is the order of none of {names}")
    raise ConfigError(
        origin,
        f"nothing in it ({ORDER_KEY}) tells which of {names} it is",
        hint="Give the whole config that the model was trained with.",
    )


def _fits(rules: RuleSet, tables: Sequence[_Table], orders: Mapping[Path, str]) -> bool:
    if rules.roles:
        return bool(orders) and not any(orders.values())
    try:
        return any(_marks(rules, tables, old=True)) and all(_edits(rules, tables))
    except NoCounterpartError:
        return False


def _of_kinds(rules: RuleSet, tables: Sequence[_Table]) -> bool:
    """Whether every dict that the rules govern is of the `type` that they expect there."""
    return all(
        (kind := rule.kind_at(table.path)) is None or of_kind(kind, table.settings)
        for table in tables
        for rule in rules.config
        if rule.governs(table.names)
    )


def _orders(rules: RuleSet, tables: Sequence[_Table]) -> dict[Path, str]:
    """Each layer that states an order; with words where that is not the one of the rules."""
    stated = {}
    for table in tables:
        wanted, order = _order_of(rules, table.names), stated_order(table.settings)
        if wanted and order is not None:
            words = f"{dotted(table.path, ORDER_KEY)} is {safe_text(', '.join(order))}"
            stated[table.path] = "" if order == wanted else words
    return stated


def _edits(rules: RuleSet, tables: Sequence[_Table]) -> Iterator[Edit]:
    for table in tables:
        for rule in rules.config:
            if rule.governs(table.names):
                order = _order_of(rules, table.names)
                yield from edits_of_dict(rule, table.path, table.settings, order)
