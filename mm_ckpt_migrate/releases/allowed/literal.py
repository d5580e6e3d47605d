"""Plain values as Python literal text: tuples survive, which JSON would turn into lists."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from mm_ckpt_migrate.errors import ConfigError

_MAX_DEPTH = 60  # CPython's parser stops at 100 to 200 nested brackets; real configs use 10
_MAX_LENGTH = 4_000_000


def literal(value: object, source: Path | str) -> str:
    """Text that `ast.literal_eval` turns back into an equal value of equal types.

    Raises:
        ConfigError: the value holds something other than dicts, lists, tuples, strings, numbers,
            booleans and None, is nested too deeply, or is too large.
    """
    text = _write(value, "model", _MAX_DEPTH, source)
    if len(text) > _MAX_LENGTH:
        raise ConfigError(source, f"the model config is larger than {_MAX_LENGTH} characters")
    return text


def _write(value: object, where: str, depth: int, source: Path | str) -> str:
    if depth == 0:
        raise ConfigError(source, f"{where}: nested more than {_MAX_DEPTH} deep")
    if isinstance(value, Mapping):
        items = (
            f"{_scalar(key, where, source)}: {_write(item, f'{where}.{key}', depth - 1, source)}"
            for key, item in value.items()
        )
        return "{" + ", ".join(items) + "}"
    if isinstance(value, (list, tuple)):
        parts = [_write(v, f"{where}[{i}]", depth - 1, source) for i, v in enumerate(value)]
        if isinstance(value, list):
            return "[" + ", ".join(parts) + "]"
        return "(" + ", ".join(parts) + ("," if len(parts) == 1 else "") + ")"
    return _scalar(value, where, source)


def _scalar(value: object, where: str, source: Path | str) -> str:
    if isinstance(value, float) and math.isinf(value):
        return "1e999" if value > 0 else "-1e999"  # `inf` is a name, not a literal
    if value is None or (type(value) in (bool, int, float, str) and value == value):  # noqa: PLR0124
        return repr(value)
    raise ConfigError(source, f"{where}: {type(value).__name__} {value!r} is not a plain value")
