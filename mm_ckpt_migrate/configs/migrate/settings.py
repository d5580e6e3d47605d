"""What a rule makes of one dict of a config: edits, or an error that names a setting."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mm_ckpt_migrate.configs.edits import Become, Drop, Edit, Path, Put, dotted
from mm_ckpt_migrate.configs.values import Config, ConfigValue
from mm_ckpt_migrate.mapping.rules.ruleset import ConfigRule
from mm_ckpt_migrate.names import safe_text

ORDER_KEY: Final = "operation_order"
_TYPE_KEY: Final = "type"
_SCOPE_KEY: Final = "_scope_"
# Registries that know a class by the same name, whether or not theirs is written before it.
_SCOPES: Final = ("mmdet", "mmseg", "mmcv", "mmengine")


class NoCounterpartError(Exception):
    """A setting that the new release does not have, or not with this value."""


def edits_of_dict(
    rule: ConfigRule, path: Path, settings: Config, order: tuple[str, ...] | None
) -> list[Edit]:
    """The edits of the dict at `path`, which `rule` governs.

    Args:
        settings: the old settings, with those of the dicts inside.
        order: the `operation_order` that the rules are right for, where the dict may state one.

    Raises:
        NoCounterpartError: a setting cannot be migrated.
    """
    reader = _Dict(rule, path, settings)
    edits = [
        *reader.type_edits(),
        *reader.order_edits(order),
        *reader.dropped(),
        *reader.defaults(),
        *reader.moved(),
        *reader.copied(),
        *reader.flags(),
        *reader.renamed(),
    ]
    gone = {edit.key for edit in edits if edit.path == path and not isinstance(edit, Put)}
    for key in settings:
        if key not in gone and key not in rule.keep:
            raise reader.fault(key, "has no counterpart in the current release")
    return edits


def stated_order(settings: Config) -> tuple[str, ...] | None:
    """The `operation_order` of a layer, or None where it states none."""
    order = settings.get(ORDER_KEY)
    return tuple(map(str, order)) if isinstance(order, (list, tuple)) else None


def of_kind(kind: str, settings: Config) -> bool:
    """Whether a dict's `type`, where it states one, is `kind`, with a scope before it or not."""
    return _TYPE_KEY not in settings or unscoped(settings[_TYPE_KEY]) == kind


class _Dict:
    """One dict and the rule that governs it; each method gives the edits of one kind."""

    def __init__(self, rule: ConfigRule, path: Path, settings: Config) -> None:
        self.rule = rule
        self.path = path
        self.settings = settings

    def fault(self, key: str, reason: str) -> NoCounterpartError:
        return NoCounterpartError(f"{dotted(self.path, key)} {reason}")

    def type_edits(self) -> Iterator[Edit]:
        kind = self.rule.kind_at(self.path)
        if kind is None:
            return
        if _TYPE_KEY in self.settings:
            stated = self.settings[_TYPE_KEY]
            if not of_kind(kind, self.settings):
                now = f"the current release always builds {kind} there"
                raise self.fault(_TYPE_KEY, f"is the unknown type {_shown(stated)}; {now}")
            yield Drop(self.path, _TYPE_KEY, f"the current release always builds {kind} there")
        if _SCOPE_KEY in self.settings:
            if self.settings[_SCOPE_KEY] not in _SCOPES:
                scope = _shown(self.settings[_SCOPE_KEY])
                raise self.fault(_SCOPE_KEY, f"is the unknown scope {scope}")
            yield Drop(self.path, _SCOPE_KEY, "no class is looked up there any more")

    def order_edits(self, order: tuple[str, ...] | None) -> Iterator[Edit]:
        if order is None or ORDER_KEY not in self.settings:
            return
        if stated_order(self.settings) != order:
            stated = _shown(self.settings[ORDER_KEY])
            now = f"the current release always computes {', '.join(order)}"
            raise self.fault(ORDER_KEY, f"is {stated}; {now}")
        yield Drop(self.path, ORDER_KEY, "the current release always computes in this order")

    def dropped(self) -> Iterator[Edit]:
        for key, value in self.rule.drop.items():
            if key in self.settings:
                now = f"the current release has no such setting, and computes as with {value!r}"
                if not _same(self.settings[key], value):
                    raise self.fault(key, f"is {_shown(self.settings[key])}; {now}")
                yield Drop(self.path, key, now)
        for key in self.rule.unused:
            if key in self.settings:
                yield Drop(self.path, key, "the old release did not use it")

    def defaults(self) -> Iterator[Edit]:
        for key, value in self.rule.defaults.items():
            if key not in self.settings and key not in self.rule.move:
                yield Put(self.path, key, value, "the old release's default, now another one")

    def moved(self) -> Iterator[Edit]:
        made: dict[str, Config] = {}
        for key, (child, name) in self.rule.move.items():
            if key in self.settings:
                yield Drop(self.path, key, f"{_new_names(self.rule, child)[0]} says it now")
            elif key not in self.rule.defaults:
                continue
            value = self.settings.get(key, self.rule.defaults.get(key))
            if child not in self.settings:
                made.setdefault(child, {})[name] = value
            for path, inner in self._below(child):
                if name not in inner or not _same(inner[name], value):
                    yield Put(path, name, value, _overruled(inner, name, key))
        for (child, name), value in self._copies().items():
            if child not in self.settings:
                made[child] = {name: value, **made.get(child, {})}
        for child, new in made.items():
            for name in _new_names(self.rule, child):
                yield Put(self.path, name, new, f"it holds what stood in {self.path[-1]}")

    def copied(self) -> Iterator[Edit]:
        for (child, name), value in self._copies().items():
            for path, inner in self._below(child):
                if name not in inner:
                    yield Put(path, name, value, "the old release took it from beside")

    def _copies(self) -> dict[tuple[str, str], ConfigValue]:
        """What the old release took from one child for another, by the place it took it for."""
        found = {}
        for (source, name), place in self.rule.copy.items():
            values = [inner[name] for _, inner in self._below(source) if name in inner]
            if values:
                found[place] = values[0]
        return found

    def flags(self) -> Iterator[Edit]:
        for key, value in self.rule.flags.items():
            if key in self.settings and not _same(self.settings[key], not value):
                stated = _shown(self.settings[key])
                now = f"only with {not value} did the old release compute what the current one does"
                raise self.fault(key, f"is {stated}; {now}")
            yield Put(self.path, key, value, "the current release wants it so")

    def renamed(self) -> Iterator[Edit]:
        for key, name in self.rule.rename.items():
            if key in self.settings:
                yield Become(self.path, key, ((self._new(key, name), self._one(key)),))
        for key, names in self.rule.split.items():
            if key in self.settings:
                for name in names:
                    self._new(key, name)
                yield Become(self.path, key, self._dealt(key, names))

    def _new(self, key: str, name: str) -> str:
        if name in self.settings:
            raise self.fault(key, f"belongs to the old release, and {name} beside it to the new")
        return name

    def _one(self, key: str) -> int | None:
        """None for a dict; the first position of a list of equal ones."""
        value = self.settings[key]
        if isinstance(value, (list, tuple)):
            if not value or any(repr(item) != repr(value[0]) for item in value):
                raise self.fault(key, "is a list of different dicts; there is one for all now")
            return 0
        return None

    def _dealt(self, key: str, names: tuple[str, ...]) -> tuple[tuple[str, int | None], ...]:
        value = self.settings[key]
        positions: list[int | None] = [None] * len(names)
        if isinstance(value, (list, tuple)):
            if len(value) != len(names):
                raise self.fault(key, f"has {len(value)} elements, and {len(names)} are used")
            positions = list(range(len(names)))
        dealt = dict(zip(names, positions, strict=True))
        return tuple((name, dealt[name]) for name in self.rule.keep if name in dealt)

    def _below(self, key: str) -> list[tuple[Path, Config]]:
        """The dict that a setting is, or the dicts in its list, each with its path."""
        value, path = self.settings.get(key), (*self.path, key)
        if isinstance(value, (list, tuple)):
            placed = [((*path, str(i)), item) for i, item in enumerate(value)]
        else:
            placed = [(path, value)] if key in self.settings else []
        for where, item in placed:
            if not isinstance(item, dict):
                raise NoCounterpartError(f"{dotted(where)} is no dict")
        return [(where, item) for where, item in placed if isinstance(item, dict)]


def _new_names(rule: ConfigRule, child: str) -> tuple[str, ...]:
    return rule.split.get(child) or (rule.rename[child],)


def _overruled(inner: Config, name: str, key: str) -> str:
    if name in inner:
        return f"the layer's {key} set it, over {_shown(inner[name])} here"
    return f"the layer's {key} set it"


def unscoped(kind: ConfigValue) -> ConfigValue:
    """A type without the scope before it."""
    if isinstance(kind, str) and kind.partition(".")[0] in _SCOPES:
        return kind.partition(".")[2]
    return kind


def _same(value: ConfigValue, constant: ConfigValue) -> bool:
    return type(value) is type(constant) and value == constant


def _shown(value: ConfigValue) -> str:
    return safe_text(repr(value), 100)
