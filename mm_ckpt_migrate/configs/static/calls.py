"""The functions and methods that a config may call: each written out here, none looked up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from mm_ckpt_migrate.configs.static.budget import MAX_ITEMS, Budget, UnreadableError, check_int
from mm_ckpt_migrate.configs.static.tree import text_key
from mm_ckpt_migrate.configs.values import Config, ConfigValue, is_scalar

Arguments: TypeAlias = "list[ConfigValue]"
Function: TypeAlias = "Callable[[Arguments, Config, Budget], ConfigValue]"


def call_function(name: str, args: Arguments, kwargs: Config, budget: Budget) -> ConfigValue:
    """Call the function `name`.

    Raises:
        OverBudgetError: the result is too large.
        UnreadableError: configs do not call this function, or not with these arguments.
    """
    if name not in _FUNCTIONS:
        raise UnreadableError(f"a call of {name}() is not read")
    if kwargs and name != "dict":
        raise UnreadableError(f"{name}() with keyword arguments is not read")
    try:
        result = _FUNCTIONS[name](args, kwargs, budget)
    except (ValueError, OverflowError) as error:
        raise UnreadableError(f"{name}() fails: {error}") from error
    return check_int(result) if isinstance(result, int) else result


def elements(value: ConfigValue, budget: Budget) -> list[ConfigValue]:
    """List what a loop over `value` visits: elements, or the keys of a dict.

    Raises:
        OverBudgetError: the sequence is too long.
        UnreadableError: the value is no list, tuple or dict.
    """
    if not isinstance(value, (list, tuple, dict)):
        raise UnreadableError(f"a loop over a value of type {type(value).__name__} is not read")
    budget.items(len(value))
    return list(value)


def _dict(args: Arguments, kwargs: Config, budget: Budget) -> ConfigValue:
    result: Config = {}
    for pairs in _at_most(args, 1, "dict"):
        if isinstance(pairs, dict):
            budget.items(len(pairs))
            result.update(pairs)
        else:
            result.update(_pair(item) for item in elements(pairs, budget))
    result.update(kwargs)
    return result


def _pair(item: ConfigValue) -> tuple[str, ConfigValue]:
    if isinstance(item, (list, tuple)) and len(item) == 2:
        return text_key(item[0]), item[1]
    raise UnreadableError("dict() is given something else than pairs")


def _list(args: Arguments, _: Config, budget: Budget) -> ConfigValue:
    return [item for arg in _at_most(args, 1, "list") for item in elements(arg, budget)]


def _tuple(args: Arguments, _: Config, budget: Budget) -> ConfigValue:
    return tuple(item for arg in _at_most(args, 1, "tuple") for item in elements(arg, budget))


def _range(args: Arguments, _: Config, budget: Budget) -> ConfigValue:
    bounds = [value for value in args if isinstance(value, int)]
    if len(bounds) != len(args) or not 1 <= len(args) <= 3 or bounds[2:] == [0]:
        raise UnreadableError("range() takes one to three whole numbers")
    numbers = range(*bounds)
    # `len` of a huge range overflows; slicing does not.
    budget.items(len(numbers[: MAX_ITEMS + 1]))
    return list(numbers)


def _enumerate(args: Arguments, _: Config, budget: Budget) -> ConfigValue:
    (sequence,) = _exactly(args, 1, "enumerate")
    return [(index, item) for index, item in enumerate(elements(sequence, budget))]


def _zip(args: Arguments, _: Config, budget: Budget) -> ConfigValue:
    return list(zip(*(elements(arg, budget) for arg in args), strict=False))


def _len(args: Arguments, _: Config, budget: Budget) -> ConfigValue:
    (value,) = _exactly(args, 1, "len")
    if isinstance(value, (str, list, tuple, dict)):
        return len(value)
    raise UnreadableError(f"len() of a {type(value).__name__}")


def _sum(args: Arguments, _: Config, budget: Budget) -> ConfigValue:
    (sequence,) = _exactly(args, 1, "sum")
    return sum(_numbers(elements(sequence, budget), "sum"))


def _min(args: Arguments, _: Config, budget: Budget) -> ConfigValue:
    return min(_compared(args, "min", budget))


def _max(args: Arguments, _: Config, budget: Budget) -> ConfigValue:
    return max(_compared(args, "max", budget))


def _compared(args: Arguments, name: str, budget: Budget) -> list[int | float]:
    numbers = _numbers(elements(args[0], budget) if len(args) == 1 else args, name)
    if not numbers:
        raise UnreadableError(f"{name}() of nothing")
    return numbers


def _numbers(values: Arguments, name: str) -> list[int | float]:
    numbers = [value for value in values if isinstance(value, (int, float))]
    if len(numbers) != len(values):
        raise UnreadableError(f"{name}() of something else than numbers")
    return numbers


def _int(args: Arguments, _: Config, budget: Budget) -> ConfigValue:
    (value,) = _exactly(args, 1, "int")
    return int(_convertible(value, "int"))


def _float(args: Arguments, _: Config, budget: Budget) -> ConfigValue:
    (value,) = _exactly(args, 1, "float")
    return float(_convertible(value, "float"))


def _convertible(value: ConfigValue, name: str) -> str | int | float:
    # Forty characters hold every number that a config needs, and keep `int` from slow parsing.
    if isinstance(value, (int, float)) or (isinstance(value, str) and len(value) <= 40):
        return value
    raise UnreadableError(f"{name}() of something else than a number")


def _str(args: Arguments, _: Config, budget: Budget) -> ConfigValue:
    (value,) = _exactly(args, 1, "str")
    if is_scalar(value):
        return str(value)
    raise UnreadableError(f"str() of a {type(value).__name__}")


def _abs(args: Arguments, _: Config, budget: Budget) -> ConfigValue:
    return abs(_numbers(_exactly(args, 1, "abs"), "abs")[0])


def _exactly(args: Arguments, count: int, name: str) -> Arguments:
    if len(args) != count:
        raise UnreadableError(f"{name}() takes {count} argument here, not {len(args)}")
    return args


def _at_most(args: Arguments, count: int, name: str) -> Arguments:
    if len(args) > count:
        raise UnreadableError(f"{name}() takes at most {count} argument here, not {len(args)}")
    return args


_FUNCTIONS: Final[dict[str, Function]] = {
    "dict": _dict,
    "list": _list,
    "tuple": _tuple,
    "range": _range,
    "enumerate": _enumerate,
    "zip": _zip,
    "len": _len,
    "sum": _sum,
    "min": _min,
    "max": _max,
    "int": _int,
    "float": _float,
    "str": _str,
    "abs": _abs,
}
