"""Every kind of expression that has a value, and what computes it."""

from __future__ import annotations

import ast
from typing import Final

from mm_ckpt_migrate.configs.static.budget import UnreadableError
from mm_ckpt_migrate.configs.static.calls import call_function
from mm_ckpt_migrate.configs.static.comprehensions import dict_comprehension, list_comprehension
from mm_ckpt_migrate.configs.static.evaluator import Evaluator, Handlers
from mm_ckpt_migrate.configs.static.literals import (
    constant,
    dict_display,
    f_string,
    list_display,
    tuple_display,
    unpacked,
)
from mm_ckpt_migrate.configs.static.methods import call_method
from mm_ckpt_migrate.configs.static.operators import binary, unary
from mm_ckpt_migrate.configs.static.references import attribute, name, subscript
from mm_ckpt_migrate.configs.values import Config, ConfigValue


def _binary(evaluator: Evaluator, node: ast.BinOp) -> ConfigValue:
    left, right = evaluator.value(node.left), evaluator.value(node.right)
    return binary(node.op, left, right, evaluator.budget)


def _unary(evaluator: Evaluator, node: ast.UnaryOp) -> ConfigValue:
    return unary(node.op, evaluator.value(node.operand))


def _call(evaluator: Evaluator, node: ast.Call) -> ConfigValue:
    function = node.func
    owner: ConfigValue = None
    if isinstance(function, ast.Attribute):
        owner = evaluator.value(function.value)
    elif not isinstance(function, ast.Name) or function.id in evaluator.names:
        raise UnreadableError("a call of something else than a known function is not read")
    args = [_argument(evaluator, arg) for arg in node.args]
    kwargs = _keywords(evaluator, node)
    evaluator.line = node.lineno
    if isinstance(function, ast.Attribute):
        return call_method(owner, function.attr, args, kwargs, evaluator.budget)
    return call_function(function.id, args, kwargs, evaluator.budget)


def _argument(evaluator: Evaluator, node: ast.expr) -> ConfigValue:
    """A generator is read where a function uses it up at once: kept, it gives its values once."""
    if isinstance(node, ast.GeneratorExp):
        return list_comprehension(evaluator, node)
    return evaluator.value(node)


def _keywords(evaluator: Evaluator, node: ast.Call) -> Config:
    result: Config = {}
    for keyword in node.keywords:
        if keyword.arg is None:
            result.update(unpacked(evaluator, keyword.value))
        else:
            result[keyword.arg] = evaluator.value(keyword.value)
    return result


HANDLERS: Final[Handlers] = {
    ast.Constant: constant,
    ast.List: list_display,
    ast.Tuple: tuple_display,
    ast.Dict: dict_display,
    ast.JoinedStr: f_string,
    ast.Name: name,
    ast.Attribute: attribute,
    ast.Subscript: subscript,
    ast.ListComp: list_comprehension,
    ast.DictComp: dict_comprehension,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.Call: _call,
}
