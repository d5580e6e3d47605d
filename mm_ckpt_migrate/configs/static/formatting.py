"""Text made from values: `%` formats and f-strings, with the width counted first."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from mm_ckpt_migrate.configs.static.budget import Budget, UnreadableError
from mm_ckpt_migrate.configs.values import ConfigValue, Scalar, is_scalar

# Widths and precisions have at most three digits; `*` and anything else is not matched.
_PERCENT: Final = re.compile(
    r"%(?:\(\w+\))?[-+ #0]*(?P<width>\d{0,3})(?:\.(?P<precision>\d{0,3}))?[diouxXeEfFgGcrsa%]", re.ASCII
)
_SPEC: Final = re.compile(r"(?:[^{}]?[<>=^])?[-+ ]?#?0?\d{0,3}[,_]?(?:\.\d{1,3})?[a-zA-Z%]?", re.ASCII)

# No number prints longer than this without a width: 1e308 with %f has 316 characters.
_NUMBER_WIDTH: Final = 400


def percent_format(template: str, arguments: ConfigValue, budget: Budget) -> str:
    """Compute `template % arguments`, where every argument is a string, a number or None.

    Raises:
        OverBudgetError: the text would be too long.
        UnreadableError: the template asks for a huge width, or does not fit the arguments.
    """
    if "%" in _PERCENT.sub("", template):
        raise UnreadableError("this % format is not one that configs use")
    longest = max((_printed_length(value) for value in _leaves(arguments)), default=0)
    total = len(template)
    for match in _PERCENT.finditer(template):
        total += int(match["width"] or 0) + int(match["precision"] or 0) + longest
    budget.text(total)
    try:
        return template % arguments
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        raise UnreadableError(f"this % format does not fit its values: {error}") from error


def format_field(value: ConfigValue, conversion: int, spec: str, budget: Budget) -> str:
    """Format one `{value!conversion:spec}` of an f-string.

    Raises:
        OverBudgetError: the text would be too long.
        UnreadableError: the value is no string or number, or the spec is not an ordinary one.
    """
    if not is_scalar(value):
        raise UnreadableError(f"a {type(value).__name__} in an f-string is not read")
    if not _SPEC.fullmatch(spec):
        raise UnreadableError(f"the format {spec[:40]!r} is not one that configs use")
    budget.text(_printed_length(value))
    shown = _CONVERSIONS[conversion](value) if conversion in _CONVERSIONS else value
    try:
        return format(shown, spec)
    except (TypeError, ValueError, OverflowError) as error:
        raise UnreadableError(f"a format does not fit its value: {error}") from error


_CONVERSIONS: Final[dict[int, Callable[[object], str]]] = {ord("s"): str, ord("r"): repr, ord("a"): ascii}


def _leaves(arguments: ConfigValue) -> list[Scalar]:
    values: list[ConfigValue] = [arguments]
    if isinstance(arguments, tuple):
        values = list(arguments)
    elif isinstance(arguments, dict):
        values = list(arguments.values())
    leaves = [value for value in values if is_scalar(value)]
    if len(leaves) != len(values):
        raise UnreadableError("a % format is given something else than strings and numbers")
    return leaves


def _printed_length(value: ConfigValue) -> int:
    # `%r` and `%a` write up to ten characters for one.
    return 10 * len(value) if isinstance(value, str) else _NUMBER_WIDTH
