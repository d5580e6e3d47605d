"""The sections `config`, `relocate` and `needs` of a rule file: what became of the settings of a config."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from mm_ckpt_migrate.mapping.rules.fields import DECIMAL, Fields
from mm_ckpt_migrate.mapping.rules.pattern import Pattern
from mm_ckpt_migrate.mapping.rules.ruleset import ABSENT, ConfigRule, Need, Relocation

Patterns: TypeAlias = Callable[..., tuple[Pattern, ...]]

SETTING: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_PATH: Final = re.compile(r"model(\.[A-Za-z_][A-Za-z0-9_]{0,63}){1,16}")
_BELOW: Final = re.compile(r"[A-Za-z_]\w{0,63}\.[A-Za-z_]\w{0,63}", re.ASCII)


def config_rule(entry: Fields, patterns: Patterns) -> ConfigRule:
    """Read an entry of `config`; `patterns` compiles a field that lists patterns.

    Raises:
        RuleError: a field is unknown or malformed, or contradicts another one.
    """
    flags = entry.optional_table("set")
    rule = ConfigRule(
        places=patterns(entry, "at", minimum=1),
        kinds=_kinds(entry),
        rename=_texts(entry.optional_table("rename"), SETTING),
        split=_lists(entry.optional_table("split")),
        move={old: _below(new) for old, new in _texts(entry.optional_table("move"), _BELOW).items()},
        copy=_copies(entry.optional_table("copy")),
        flags={name: flags.flag(name) for name in list(flags.left)},
        drop=entry.optional_table("drop").constants(),
        unused=entry.texts("unused", SETTING, optional=True),
        defaults=entry.optional_table("default").constants(),
        keep=entry.texts("keep", SETTING, minimum=1),
    )
    entry.close()
    _check(entry, rule)
    return rule


def _kinds(entry: Fields) -> tuple[str, ...]:
    if isinstance(entry.left.get("type"), list):
        return entry.texts("type", SETTING, minimum=2)
    return (entry.text("type", SETTING),) if "type" in entry.left else ()


def _texts(table: Fields, pattern: re.Pattern[str]) -> dict[str, str]:
    return {name: table.text(name, pattern) for name in list(table.left)}


def _lists(table: Fields) -> dict[str, tuple[str, ...]]:
    return {name: table.texts(name, SETTING, minimum=1) for name in list(table.left)}


def _copies(table: Fields) -> dict[tuple[str, str], tuple[str, str]]:
    for name in table.left:
        if not _BELOW.fullmatch(name):
            raise table.error(f"{name!r} is not of the form setting.name", name)
    return {_below(old): _below(new) for old, new in _texts(table, _BELOW).items()}


def _below(text: str) -> tuple[str, str]:
    setting, _, name = text.partition(".")
    return setting, name


def _check(entry: Fields, rule: ConfigRule) -> None:
    """Each old setting has one fate, and what is new is among what the new release takes."""
    if rest := [place.text for place in rule.places if place.has_rest]:
        raise entry.error(f"{rest[0]!r} is no path of one dict", "at")
    renamed = {*rule.rename, *rule.split}
    gone = [*rule.rename, *rule.split, *rule.move, *rule.drop, *rule.unused]
    gone += ["type"] * bool(rule.kinds)
    for name, count in Counter(gone).items():
        if count > 1 or name in rule.keep:
            raise entry.error(f"the entry says more than one thing of `{name}`")
    new = {*rule.rename.values(), *(name for names in rule.split.values() for name in names)}
    if odd := (new | set(rule.flags) | (set(rule.defaults) - set(rule.move))) - set(rule.keep):
        raise entry.error(f"`{min(odd)}` is not among what the new release takes", "keep")
    inner = {child for child, _ in (*rule.move.values(), *rule.copy, *rule.copy.values())}
    if odd := inner - renamed:
        raise entry.error(f"`{min(odd)}` is neither renamed nor split here")


def relocation(entry: Fields) -> Relocation:
    """Read an entry of `relocate`; raises RuleError where a field is unknown or malformed."""
    if "gone" in entry.left:
        return Relocation(_path(entry, "gone"), None)
    if "replace" in entry.left:
        place, was = _path(entry, "replace"), entry.text("was", SETTING)
        return Relocation(place, place, value=_value(entry.value("value")), was=was)
    if "from" in entry.left:
        source, target = _path(entry, "from"), _path(entry, "to")
        default = _value(entry.value("default")) if "default" in entry.left else ABSENT
        when = _path(entry, "when") if "when" in entry.left else None
        keep, wrap = entry.flag("keep"), entry.flag("wrap")
        return Relocation(source=source, target=target, value=default, keep=keep, wrap=wrap, when=when)
    return Relocation(None, _path(entry, "to"), value=_value(entry.value("value")))


def need(entry: Fields, pattern: Callable[[Fields, str], Pattern]) -> Need:
    """Read an entry of `needs`; `pattern` compiles a field that holds one.

    Raises:
        RuleError: a field is unknown or malformed.
    """
    return Need(
        key=pattern(entry, "key"),
        place=_path(entry, "config"),
        kind=entry.text("type", SETTING),
        settings=entry.table("set").constants(),
        why=entry.text("why"),
    )


def _path(entry: Fields, name: str) -> tuple[str, ...]:
    return tuple(entry.text(name, _PATH).split("."))


def _value(value: Any) -> Any:
    """A quoted decimal number is a float."""
    if isinstance(value, dict):
        return {key: _value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_value(item) for item in value]
    return float(value) if isinstance(value, str) and DECIMAL.fullmatch(value) else value
