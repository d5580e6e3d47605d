"""The methods of dicts and lists that a config may call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from mm_ckpt_migrate.configs.static.budget import Budget, UnreadableError
from mm_ckpt_migrate.configs.static.calls import Arguments, elements
from mm_ckpt_migrate.configs.static.tree import BaseDict, text_key
from mm_ckpt_migrate.configs.values import Config, ConfigValue

DictMethod: TypeAlias = "Callable[[Config, Arguments, Config, Budget], ConfigValue]"
ListMethod: TypeAlias = "Callable[[list[ConfigValue], Arguments, Budget], ConfigValue]"


def call_method(
    owner: ConfigValue, name: str, args: Arguments, kwargs: Config, budget: Budget
) -> ConfigValue:
    """Call `owner.name(*args, **kwargs)`.

    Raises:
        OverBudgetError: the result is too large.
        UnreadableError: configs do not call this method, or not with these arguments.
    """
    if isinstance(owner, dict) and name in _DICT and (name == "update" or not kwargs):
        return _DICT[name](owner, args, kwargs, budget)
    if isinstance(owner, list) and name in _LIST and not kwargs:
        return _LIST[name](owner, args, budget)
    raise UnreadableError(f"a call of {type(owner).__name__}.{name}() is not read")


def _update(owner: Config, args: Arguments, kwargs: Config, budget: Budget) -> ConfigValue:
    other: Config = {}
    for arg in _between(args, 0, 1, "update"):
        if not isinstance(arg, dict):
            raise UnreadableError(f"update() with a {type(arg).__name__} is not read")
        other.update(arg)
    other.update(kwargs)
    budget.items(len(other))
    if isinstance(owner, BaseDict):
        owner.merge_update(other, budget)
    else:
        owner.update(other)
    return None


def _dict_pop(owner: Config, args: Arguments, kwargs: Config, budget: Budget) -> ConfigValue:
    first, *default = _between(args, 1, 2, "pop")
    key = text_key(first)
    if key in owner:
        return owner.pop(key)
    if default or isinstance(owner, BaseDict):
        return default[0] if default else None
    raise UnreadableError("pop() of a missing key")


def _get(owner: Config, args: Arguments, kwargs: Config, budget: Budget) -> ConfigValue:
    first, *default = _between(args, 1, 2, "get")
    key = text_key(first)
    if key in owner:
        return owner[key]
    return default[0] if default else None


def _dict_copy(owner: Config, args: Arguments, kwargs: Config, budget: Budget) -> ConfigValue:
    _between(args, 0, 0, "copy")
    budget.items(len(owner))
    return BaseDict(owner) if isinstance(owner, BaseDict) else dict(owner)


def _keys(owner: Config, args: Arguments, kwargs: Config, budget: Budget) -> ConfigValue:
    _between(args, 0, 0, "keys")
    return elements(owner, budget)


def _values(owner: Config, args: Arguments, kwargs: Config, budget: Budget) -> ConfigValue:
    _between(args, 0, 0, "values")
    budget.items(len(owner))
    return list(owner.values())


def _items(owner: Config, args: Arguments, kwargs: Config, budget: Budget) -> ConfigValue:
    _between(args, 0, 0, "items")
    budget.items(len(owner))
    return list(owner.items())


def _append(owner: list[ConfigValue], args: Arguments, budget: Budget) -> ConfigValue:
    owner.extend(_between(args, 1, 1, "append"))
    return None


def _extend(owner: list[ConfigValue], args: Arguments, budget: Budget) -> ConfigValue:
    (more,) = _between(args, 1, 1, "extend")
    budget.items(len(owner))
    owner.extend(elements(more, budget))
    return None


def _insert(owner: list[ConfigValue], args: Arguments, budget: Budget) -> ConfigValue:
    position, value = _between(args, 2, 2, "insert")
    if not isinstance(position, int):
        raise UnreadableError("insert() takes a position")
    # Clamped as a list does, so that an index of 100 bits does not overflow.
    owner.insert(max(min(position, len(owner)), -len(owner)), value)
    return None


def _list_pop(owner: list[ConfigValue], args: Arguments, budget: Budget) -> ConfigValue:
    position = (*_between(args, 0, 1, "pop"), -1)[0]
    if isinstance(position, int) and -len(owner) <= position < len(owner):
        return owner.pop(position)
    raise UnreadableError("pop() of a missing element")


def _list_copy(owner: list[ConfigValue], args: Arguments, budget: Budget) -> ConfigValue:
    _between(args, 0, 0, "copy")
    return elements(owner, budget)


def _between(args: Arguments, least: int, most: int, name: str) -> Arguments:
    if not least <= len(args) <= most:
        raise UnreadableError(f"{name}() does not take {len(args)} arguments")
    return args


_DICT: Final[dict[str, DictMethod]] = {
    "update": _update,
    "pop": _dict_pop,
    "get": _get,
    "copy": _dict_copy,
    "keys": _keys,
    "values": _values,
    "items": _items,
}
_LIST: Final[dict[str, ListMethod]] = {
    "append": _append,
    "extend": _extend,
    "insert": _insert,
    "pop": _list_pop,
    "copy": _list_copy,
}
