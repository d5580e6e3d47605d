"""Edits of a config: the same few kinds for values and for source, each a sentence for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Final, TypeAlias

from mm_ckpt_migrate.configs.values import Config, ConfigValue
from mm_ckpt_migrate.names import safe_text

_MAX_SHOWN: Final = 60

# Keys of dicts and positions in lists on the way to a dict, as they are before any edit.
Path: TypeAlias = "tuple[str, ...]"


@dataclass(frozen=True, slots=True)
class Drop:
    """Takes the setting `key` out of the dict at `path`."""

    path: Path
    key: str
    reason: str

    def __str__(self) -> str:
        return f"{dotted(self.path, self.key)} is gone: {self.reason}"


@dataclass(frozen=True, slots=True)
class Become:
    """Puts settings with new names in the place of `key`.

    Attributes:
        names: each new name, with the position of its value in the old list; None is all of it.
    """

    path: Path
    key: str
    names: tuple[tuple[str, int | None], ...]

    def __str__(self) -> str:
        names = " and ".join(name for name, _ in self.names)
        return f"{dotted(self.path, self.key)} is now {names}"


@dataclass(frozen=True, slots=True)
class Put:
    """Sets `key` in the dict at `path`, in its old place or at the end."""

    path: Path
    key: str
    value: ConfigValue
    reason: str

    def __str__(self) -> str:
        value = safe_text(repr(self.value), _MAX_SHOWN)
        return f"{dotted(self.path, self.key)} is now {value}: {self.reason}"


Edit: TypeAlias = "Drop | Become | Put"


def dotted(path: Path, *more: str) -> str:
    """A path as people write it, safe for a terminal."""
    return safe_text(".".join((*path, *more)))


def by_path(edits: Iterable[Edit]) -> dict[Path, list[Edit]]:
    table: dict[Path, list[Edit]] = {}
    for edit in edits:
        table.setdefault(edit.path, []).append(edit)
    return table


def edited_config(config: Config, edits: Iterable[Edit]) -> Config:
    """Return a copy of `config` with `edits` made; what they do not touch is shared with it."""
    table = by_path(edits)
    return {key: _edited(value, (key,), table) for key, value in config.items()}


def _edited(value: ConfigValue, path: Path, table: Mapping[Path, list[Edit]]) -> ConfigValue:
    if isinstance(value, dict):
        result = {key: _edited(item, (*path, key), table) for key, item in value.items()}
        for edit in table.get(path, ()):
            result = _made(result, edit)
        return result
    if isinstance(value, (list, tuple)):
        items = [_edited(item, (*path, str(i)), table) for i, item in enumerate(value)]
        return tuple(items) if isinstance(value, tuple) else items
    return value


def _made(settings: Config, edit: Edit) -> Config:
    if isinstance(edit, Put):
        return {**settings, edit.key: edit.value}
    result: Config = {}
    for key, value in settings.items():
        if key != edit.key:
            result[key] = value
        elif isinstance(edit, Become):
            result.update((name, _element(value, position)) for name, position in edit.names)
    return result


def _element(value: ConfigValue, position: int | None) -> ConfigValue:
    if position is not None and isinstance(value, (list, tuple)):
        return value[position]
    # Each name gets a value of its own, as if it had been written twice.
    return deepcopy(value)
