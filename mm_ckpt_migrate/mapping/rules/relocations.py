"""The `relocate` and `needs` sections of a rule file, which are about settings of the config."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from mm_ckpt_migrate.mapping.rules.fields import DECIMAL, Fields
from mm_ckpt_migrate.mapping.rules.pattern import Pattern
from mm_ckpt_migrate.mapping.rules.ruleset import ABSENT, Need, Relocation

_PATH: Final = re.compile(r"model(\.[A-Za-z_][A-Za-z0-9_]{0,63}){1,16}")
_KIND: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def relocation(entry: Fields) -> Relocation:
    """Read an entry of `relocate`; raises RuleError where a field is unknown or malformed."""
    if "gone" in entry.left:
        return Relocation(_path(entry, "gone"), None)
    if "replace" in entry.left:
        place, was = _path(entry, "replace"), entry.text("was", _KIND)
        return Relocation(place, place, value=_value(entry.value("value")), was=was)
    if "from" in entry.left:
        source, target = _path(entry, "from"), _path(entry, "to")
        default = _value(entry.value("default")) if "default" in entry.left else ABSENT
        when = _path(entry, "when") if "when" in entry.left else None
        keep, wrap = entry.flag("keep"), entry.flag("wrap")
        return Relocation(source, target, value=default, keep=keep, wrap=wrap, when=when)
    return Relocation(None, _path(entry, "to"), value=_value(entry.value("value")))


def need(entry: Fields, pattern: Callable[[Fields, str], Pattern]) -> Need:
    """Read an entry of `needs`; `pattern` compiles a field that holds one.

    Raises:
        RuleError: a field is unknown or malformed.
    """
    return Need(
        key=pattern(entry, "key"),
        place=_path(entry, "config"),
        kind=entry.text("type", _KIND),
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
