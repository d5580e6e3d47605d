"""Arithmetic and concatenation, each result counted before it is made."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Final, TypeAlias

from mm_ckpt_migrate.configs.static.budget import (
    MAX_INT_BITS,
    Budget,
    OverBudgetError,
    UnreadableError,
    check_int,
)
from mm_ckpt_migrate.configs.static.formatting import percent_format
from mm_ckpt_migrate.configs.values import ConfigValue, is_scalar

Number: TypeAlias = "int | float"

_SYMBOLS: Final[dict[type[ast.operator], str]] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
}
_ARITHMETIC: Final[dict[str, Callable[[Number, Number], object]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
}


def binary(node: ast.operator, left: ConfigValue, right: ConfigValue, budget: Budget) -> ConfigValue:
    """Compute `left <operator> right`.

    Raises:
        OverBudgetError: the result is too large.
        UnreadableError: configs do not use this operator, or not on these operands.
    """
    symbol = _SYMBOLS.get(type(node), type(node).__name__)
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        return _arithmetic(symbol, left, right)
    if symbol == "+":
        return _concatenate(left, right, budget)
    if symbol == "*":
        return _repeat(left, right, budget)
    if symbol == "%" and isinstance(left, str):
        return percent_format(left, right, budget)
    raise UnreadableError(f"cannot compute {_kind(left)} {symbol} {_kind(right)}")


def unary(node: ast.unaryop, operand: ConfigValue) -> ConfigValue:
    """Compute `-operand`, `+operand` or `not operand`.

    Raises:
        UnreadableError: configs do not use this operator, or not on this operand.
    """
    if isinstance(node, ast.Not) and is_scalar(operand):
        return not operand
    if isinstance(operand, (int, float)) and isinstance(node, ast.USub):
        return -operand
    if isinstance(operand, (int, float)) and isinstance(node, ast.UAdd):
        return +operand
    raise UnreadableError(f"cannot apply {type(node).__name__} to {_kind(operand)}")


def _arithmetic(symbol: str, left: Number, right: Number) -> ConfigValue:
    if symbol not in _ARITHMETIC:
        raise UnreadableError(f"the operator {symbol} is not one that configs use")
    if symbol == "**" and isinstance(left, int) and isinstance(right, int):
        _check_power(left, right)
    try:
        result = _ARITHMETIC[symbol](left, right)
    except ArithmeticError as error:
        raise UnreadableError(f"cannot compute this number: {error}") from error
    if isinstance(result, int):
        return check_int(result)
    if isinstance(result, float):
        return result
    # A negative number to a fractional power is complex.
    raise UnreadableError(f"a config does not hold a {type(result).__name__}")


def _check_power(base: int, exponent: int) -> None:
    if max(base.bit_length(), 1) * abs(exponent) > 2 * MAX_INT_BITS:
        raise OverBudgetError(f"a power has more than {MAX_INT_BITS} bits")


def _concatenate(left: ConfigValue, right: ConfigValue, budget: Budget) -> ConfigValue:
    if isinstance(left, str) and isinstance(right, str):
        budget.text(len(left) + len(right))
        return left + right
    if isinstance(left, list) and isinstance(right, list):
        budget.items(len(left) + len(right))
        return left + right
    if isinstance(left, tuple) and isinstance(right, tuple):
        budget.items(len(left) + len(right))
        return left + right
    raise UnreadableError(f"cannot compute {_kind(left)} + {_kind(right)}")


def _repeat(left: ConfigValue, right: ConfigValue, budget: Budget) -> ConfigValue:
    sequence, times = (right, left) if isinstance(left, int) else (left, right)
    if isinstance(times, int) and isinstance(sequence, str):
        budget.text(len(sequence) * max(times, 0))
        return sequence * times
    if isinstance(times, int) and isinstance(sequence, (list, tuple)):
        budget.items(len(sequence) * max(times, 0))
        return sequence * times
    raise UnreadableError(f"cannot compute {_kind(left)} * {_kind(right)}")


def _kind(value: ConfigValue) -> str:
    return type(value).__name__
