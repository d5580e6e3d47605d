"""Expressions that refer to values: names, attributes of base dicts, subscripts, slices."""

from __future__ import annotations

import ast
from typing import Final

from mm_ckpt_migrate.configs.static.budget import UnreadableError
from mm_ckpt_migrate.configs.static.evaluator import Evaluator
from mm_ckpt_migrate.configs.static.tree import BaseDict
from mm_ckpt_migrate.configs.values import ConfigValue

BASE_KEY: Final = "_base_"


def name(evaluator: Evaluator, node: ast.Name) -> ConfigValue:
    if node.id not in evaluator.names:
        raise UnreadableError(f"the name {node.id!r} is not assigned before this line")
    return evaluator.names[node.id]


def attribute(evaluator: Evaluator, node: ast.Attribute) -> ConfigValue:
    owner = attribute_owner(evaluator, node)
    if node.attr not in owner:
        raise UnreadableError(f"the base configs have no {node.attr!r} in this place")
    return owner[node.attr]


def attribute_owner(evaluator: Evaluator, node: ast.Attribute) -> BaseDict:
    """Evaluate the left side of `owner.attr`.

    Raises:
        UnreadableError: the owner is not part of a base config, or `attr` belongs to dicts.
    """
    owner = evaluator.value(node.value)
    if not isinstance(owner, BaseDict) or hasattr(dict, node.attr):
        raise UnreadableError(f"the attribute {node.attr!r} of a {type(owner).__name__} is not read")
    return owner


def subscript(evaluator: Evaluator, node: ast.Subscript) -> ConfigValue:
    owner = evaluator.value(node.value)
    if isinstance(node.slice, ast.Slice):
        return _slice(evaluator, owner, node.slice)
    key = evaluator.value(node.slice)
    if isinstance(owner, dict) and isinstance(key, str) and key in owner:
        return owner[key]
    if isinstance(owner, (str, list, tuple)) and isinstance(key, int):
        return owner[position(owner, key)]
    shown = f"{key!r:.80}" if isinstance(key, (str, int)) else f"a {type(key).__name__}"
    raise UnreadableError(f"there is no element {shown} in this {type(owner).__name__}")


def position(owner: str | list[ConfigValue] | tuple[ConfigValue, ...], index: int) -> int:
    """Return `index`.

    Raises:
        UnreadableError: `owner` has no element there.
    """
    if not -len(owner) <= index < len(owner):
        raise UnreadableError(f"there is no element {index} among {len(owner)}")
    return index


def _slice(evaluator: Evaluator, owner: ConfigValue, node: ast.Slice) -> ConfigValue:
    bounds: list[int | None] = []
    for bound in (node.lower, node.upper, node.step):
        number = None if bound is None else evaluator.value(bound)
        if number is not None and not isinstance(number, int):
            raise UnreadableError("a slice bound is no whole number")
        bounds.append(number)
    if not isinstance(owner, (str, list, tuple)) or bounds[2] == 0:
        raise UnreadableError(f"this slice of a {type(owner).__name__} is not read")
    if isinstance(owner, str):
        evaluator.budget.text(len(owner))
    else:
        evaluator.budget.items(len(owner))
    return owner[slice(*bounds)]


def store(evaluator: Evaluator, target: ast.expr, value: ConfigValue) -> None:
    """Assign to `owner.attr`, to `owner[key]`, or to names.

    Raises:
        OverBudgetError: the value is too large.
        UnreadableError: configs do not assign to this.
    """
    if isinstance(target, ast.Attribute):
        attribute_owner(evaluator, target).put(target.attr, value, evaluator.budget)
    elif isinstance(target, ast.Subscript) and not isinstance(target.slice, ast.Slice):
        owner, key = evaluator.value(target.value), evaluator.value(target.slice)
        _store_item(evaluator, owner, key, value)
    else:
        evaluator.bind(target, value)


def _store_item(evaluator: Evaluator, owner: ConfigValue, key: ConfigValue, value: ConfigValue) -> None:
    if isinstance(owner, BaseDict) and isinstance(key, str):
        owner.put(key, value, evaluator.budget)
    elif isinstance(owner, dict) and isinstance(key, str):
        owner[key] = value
    elif isinstance(owner, list) and isinstance(key, int):
        owner[position(owner, key)] = value
    else:
        raise UnreadableError(f"this assignment into a {type(owner).__name__} is not read")


def delete(evaluator: Evaluator, target: ast.expr) -> None:
    """Delete a name, `owner.attr` or `owner[key]`.

    Raises:
        UnreadableError: there is nothing of that name, or configs do not delete this.
    """
    owner: ConfigValue = evaluator.names
    key: ConfigValue = None
    if isinstance(target, ast.Name):
        key = target.id
    elif isinstance(target, ast.Attribute):
        owner, key = attribute_owner(evaluator, target), target.attr
    elif isinstance(target, ast.Subscript) and not isinstance(target.slice, ast.Slice):
        owner, key = evaluator.value(target.value), evaluator.value(target.slice)
    if isinstance(owner, list) and isinstance(key, int):
        del owner[position(owner, key)]
    elif isinstance(owner, dict) and isinstance(key, str) and key in owner:
        del owner[key]
    else:
        raise UnreadableError("this del is not read")
