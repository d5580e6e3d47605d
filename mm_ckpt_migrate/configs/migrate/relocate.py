"""Settings that another dict of the config has now, as edits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any

from mm_ckpt_migrate.configs.edits import Drop, Edit, Path, Put, dotted
from mm_ckpt_migrate.configs.migrate.settings import NoCounterpartError, unscoped
from mm_ckpt_migrate.configs.values import Config, lookup
from mm_ckpt_migrate.mapping.rules.ruleset import ABSENT, Relocation


def relocated(config: Config, before: Config, relocations: Sequence[Relocation]) -> list[Edit]:
    """The edits that give each setting its new place.

    Args:
        config: after the edits of the single dicts.
        before: before them.

    Raises:
        NoCounterpartError: a place is taken, or a dict that has to go still holds something.
    """
    if not relocations:
        return []
    work = _Relocating(deepcopy(config))
    for relocation in relocations:
        if relocation.when is None or lookup(before, ".".join(relocation.when)):
            work.relocate(relocation)
    return [*work.drops(), *work.puts(config)]


class _Relocating:
    """A config on which relocations are carried out, and what they touched."""

    def __init__(self, config: Config) -> None:
        self.config: Any = config
        self.gone: list[tuple[Path, Path | None]] = []
        self.placed: dict[Path, Relocation] = {}

    def relocate(self, relocation: Relocation) -> None:
        source, target = relocation.source, relocation.target
        if source is not None and relocation.was is not None:
            self._replace(source, relocation)
            return
        value = relocation.value if source is None else self._value(source, relocation.value)
        if target is None:
            assert source is not None
            self._remove_rest(source)
            return
        if source is not None and not relocation.keep:
            self._remove(source, target)
        if value is ABSENT:
            return
        if target not in self.placed:
            self._place(target, [value] if relocation.wrap else value)
            self.placed[target] = relocation
        elif relocation.wrap:
            self._dict(target[:-1])[target[-1]].append(value)

    def _replace(self, path: Path, relocation: Relocation) -> None:
        parent = self._dict(path[:-1])
        if parent is not None and unscoped(parent.get(path[-1])) == relocation.was:
            parent[path[-1]] = relocation.value
            self.placed[path] = relocation

    def _value(self, path: Path, default: Any) -> Any:
        parent, key = self._dict(path[:-1]), path[-1]
        return deepcopy(parent[key]) if parent is not None and key in parent else default

    def _dict(self, path: Path) -> Any:
        found = self.config
        for depth, key in enumerate(path, 1):
            found = found.get(key)
            if found is None:
                return None
            if not isinstance(found, dict):
                raise NoCounterpartError(f"{dotted(path[:depth])} is no dict")
        return found

    def _remove(self, path: Path, target: Path | None) -> None:
        parent = self._dict(path[:-1])
        if parent is not None and path[-1] in parent:
            del parent[path[-1]]
            self.gone.append((path, target))

    def _remove_rest(self, path: Path) -> None:
        parent = self._dict(path[:-1])
        left = parent.get(path[-1]) if parent else None
        if isinstance(left, dict) and left:
            raise NoCounterpartError(
                f"{dotted(path, next(iter(left)))} has no counterpart in the current release"
            )
        self._remove(path, None)

    def _place(self, path: Path, value: Any) -> None:
        here = self.config
        for number, key in enumerate(path[:-1], 1):
            here = here.setdefault(key, {})
            if not isinstance(here, dict):
                raise NoCounterpartError(f"{dotted(path[:number])} is no dict")
        if path[-1] in here:
            raise NoCounterpartError(
                f"{dotted(path)} stands already where the current release has another setting"
            )
        here[path[-1]] = value

    def drops(self) -> Iterator[Edit]:
        """What is no longer where it was, but for what was inside of something that is not."""
        paths = [path for path, _ in self.gone]
        for path, target in self.gone:
            if not any(path[:end] in paths for end in range(1, len(path))):
                now = f"{dotted(target)} says it now" if target else "the current release has none"
                yield Drop(path[:-1], path[-1], now)

    def puts(self, before: Config) -> Iterator[Edit]:
        """What is new, as large as possible."""
        done: set[Path] = set()
        for path, relocation in self.placed.items():
            depth = 1
            while isinstance(lookup(before, ".".join(path[:depth])), dict):
                depth += 1
            top = path[:depth]
            if top not in done:
                done.add(top)
                value = self._value(top, ABSENT)
                yield Put(top[:-1], top[-1], value, _reason(relocation))


def _reason(relocation: Relocation) -> str:
    if relocation.was is not None:
        return f"the current release has it in the place of {relocation.was}"
    if relocation.source is None:
        return "the current release has a dict of its own for it"
    return f"{dotted(relocation.source)} said it"
