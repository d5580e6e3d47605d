"""Expressions that write a value down: constants, lists, tuples, dicts and f-strings."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mm_ckpt_migrate.configs.static.budget import UnreadableError, check_int
from mm_ckpt_migrate.configs.static.calls import elements
from mm_ckpt_migrate.configs.static.evaluator import Evaluator, describe
from mm_ckpt_migrate.configs.static.formatting import format_field
from mm_ckpt_migrate.configs.static.tree import text_key
from mm_ckpt_migrate.configs.values import Config, ConfigValue


def constant(_: Evaluator, node: ast.Constant) -> ConfigValue:
    value = node.value
    if isinstance(value, int):
        return check_int(value)
    if value is None or isinstance(value, (str, float)):
        return value
    raise UnreadableError(f"a config does not hold a {type(value).__name__}")


def list_display(evaluator: Evaluator, node: ast.List) -> ConfigValue:
    return list(_elements(evaluator, node.elts))


def tuple_display(evaluator: Evaluator, node: ast.Tuple) -> ConfigValue:
    return tuple(_elements(evaluator, node.elts))


def _elements(evaluator: Evaluator, nodes: list[ast.expr]) -> Iterator[ConfigValue]:
    for node in nodes:
        if isinstance(node, ast.Starred):
            yield from elements(evaluator.value(node.value), evaluator.budget)
        else:
            yield evaluator.value(node)


def dict_display(evaluator: Evaluator, node: ast.Dict) -> ConfigValue:
    result: Config = {}
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None:
            result.update(unpacked(evaluator, value))
        else:
            result[text_key(evaluator.value(key))] = evaluator.value(value)
    return result


def unpacked(evaluator: Evaluator, node: ast.expr) -> Config:
    """Evaluate what stands behind `**`.

    Raises:
        UnreadableError: it is no dict.
    """
    value = evaluator.value(node)
    if not isinstance(value, dict):
        raise UnreadableError(f"** is given a {type(value).__name__}")
    evaluator.budget.items(len(value))
    return value


def f_string(evaluator: Evaluator, node: ast.JoinedStr) -> str:
    length = 0
    pieces = []
    for part in node.values:
        text = _piece(evaluator, part)
        length += len(text)
        evaluator.budget.text(length)
        pieces.append(text)
    return "".join(pieces)


def _piece(evaluator: Evaluator, node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if not isinstance(node, ast.FormattedValue):
        raise UnreadableError(f"{describe(node)} is not read")
    spec = node.format_spec
    written = f_string(evaluator, spec) if isinstance(spec, ast.JoinedStr) else ""
    value = evaluator.value(node.value)
    return format_field(value, node.conversion, written, evaluator.budget)
