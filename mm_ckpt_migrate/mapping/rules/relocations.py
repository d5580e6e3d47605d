"""The `relocate` and `needs` sections of a rule file, which are about settings of the config."""

from __future__ import annotations

import re
from typing import Any, Final

from mm_ckpt_migrate.mapping.rules.fields import DECIMAL, Fields
from mm_ckpt_migrate.mapping.rules.pattern import Pattern
from mm_ckpt_migrate.mapping.rules.ruleset import ABSENT, Need, Relocation

_PATH: Final = re.compile(r"model(\.[A-Za-z_][A-Za-z0-9_]{0,63}){1,16}")
_KIND: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def load_relocations(fields: Fields) -> tuple[Relocation, ...]:
    """Take `relocate`, which may be left out.

    Raises:
        RuleError: a field is unknown or malformed.
    """
    if "relocate" not in fields.left:
        return ()
    return tuple(map(_relocation, fields.tables("relocate", minimum=1)))


def load_needs(fields: Fields, pattern: Any) -> tuple[Need, ...]:
    """Take `needs`, which may be left out; `pattern` compiles a field that holds one.

    Raises:
        RuleError: a field is unknown or malformed.
    """
    if "needs" not in fields.left:
        return ()
    return tuple(_need(entry, pattern) for entry in fields.tables("needs", minimum=1))


def _relocation(entry: Fields) -> Relocation:
    if "gone" in entry.left:
        relocation = Relocation(_path(entry, "gone"), None)
    elif "replace" in entry.left:
        place, was = _path(entry, "replace"), entry.text("was", _KIND)
        relocation = Relocation(place, place, value=_value(entry.value("value")), was=was)
    elif "from" in entry.left:
        source, target = _path(entry, "from"), _path(entry, "to")
        default = _value(entry.value("default")) if "default" in entry.left else ABSENT
        when = _path(entry, "when") if "when" in entry.left else None
        keep, wrap = entry.flag("keep"), entry.flag("wrap")
        relocation = Relocation(source=source, target=target, value=default, keep=keep, wrap=wrap, when=when)
    else:
        relocation = Relocation(None, _path(entry, "to"), value=_value(entry.value("value")))
    entry.close()
    return relocation


def _need(entry: Fields, pattern: Any) -> Need:
    key: Pattern = pattern(entry, "key")
    place, kind = _path(entry, "config"), entry.text("type", _KIND)
    need = Need(
        key=key, place=place, kind=kind, settings=entry.table("set").constants(), why=entry.text("why")
    )
    entry.close()
    return need


def _path(entry: Fields, name: str) -> tuple[str, ...]:
    return tuple(entry.text(name, _PATH).split("."))


def _value(value: Any) -> Any:
    """A quoted decimal number is a float."""
    if isinstance(value, dict):
        return {key: _value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_value(item) for item in value]
    return float(value) if isinstance(value, str) and DECIMAL.fullmatch(value) else value
