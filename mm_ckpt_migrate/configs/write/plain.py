"""Print a config as a plain Python file: values only, one setting per line."""

from __future__ import annotations

import keyword
import math
from collections.abc import Iterable
from typing import Final

from mm_ckpt_migrate.configs.values import Config, ConfigValue

WIDTH: Final = 88
_INDENT: Final = "    "
# A config that assigns to these could not use them further down.
_USED: Final = ("dict", "float")


class UnwritableError(Exception):
    """The value has no Python source that reads back as it."""


def config_source(config: Config) -> str:
    """The source of a config file with the values of `config`, in its order.

    Raises:
        UnwritableError: a key is no name that a config may assign to, or a value is of another
            kind than configs hold.
    """
    for key in config:
        if not _is_name(key) or key.startswith("__") or key in _USED or key == "_base_":
            raise UnwritableError(f"{key!r:.80} is no name for a setting in a Python config")
    return "".join(f"{key} = {block_source(value, '')}\n" for key, value in config.items())


def value_source(value: ConfigValue) -> str:
    """The value as an expression on one line; raises as `config_source` does."""
    if isinstance(value, dict):
        return _in_dict(value, [value_source(item) for item in value.values()])
    if isinstance(value, list):
        return f"[{', '.join(map(value_source, value))}]"
    if isinstance(value, tuple):
        comma = "," if len(value) == 1 else ""
        return f"({', '.join(map(value_source, value))}{comma})"
    return _scalar(value)


def _scalar(value: ConfigValue) -> str:
    if type(value) is float and not math.isfinite(value):
        return f"float('{value!r}')"
    if type(value) is str:
        # mmengine replaces what stands between double braces before it parses a config.
        return repr(value).replace("{{", "{\\x7b")
    if value is None or type(value) in (bool, int, float):
        return repr(value)
    raise UnwritableError(f"a config does not hold a {type(value).__name__}")


def _in_dict(value: Config, written: Iterable[str]) -> str:
    return _bracketed(value, ", ".join(_settings(value, written)))


def _settings(value: Config, written: Iterable[str]) -> list[str]:
    pairs = zip(value, written, strict=True)
    if _is_call(value):
        return [f"{key}={text}" for key, text in pairs]
    if odd := [key for key in value if type(key) is not str]:
        raise UnwritableError(f"{odd[0]!r:.80} is no key of a dict in a config")
    return [f"{_scalar(key)}: {text}" for key, text in pairs]


def _bracketed(value: ConfigValue, inside: str) -> str:
    if isinstance(value, dict):
        return f"dict({inside})" if _is_call(value) else f"{{{inside}}}"
    return f"[{inside}]" if isinstance(value, list) else f"({inside})"


def _is_call(value: Config) -> bool:
    return all(map(_is_name, value))


def _is_name(key: object) -> bool:
    return type(key) is str and key.isascii() and key.isidentifier() and not keyword.iskeyword(key)


def block_source(value: ConfigValue, indent: str) -> str:
    """The value over as many lines as it needs, the first one not indented.

    Raises as `config_source` does.
    """
    line = value_source(value)
    if not isinstance(value, (dict, list, tuple)) or not value:
        return line
    if _fits_a_line(value) and len(indent) + len(line) <= WIDTH:
        return line
    inner = indent + _INDENT
    if isinstance(value, dict):
        lines = _settings(value, [block_source(item, inner) for item in value.values()])
    else:
        lines = _filled([block_source(item, inner) for item in value], len(inner))
    body = "".join(f"{inner}{text},\n" for text in lines)
    return _bracketed(value, f"\n{body}{indent}")


def _fits_a_line(value: ConfigValue) -> bool:
    """Whether a reader sees through it there: at most one dict, and nothing around it but lists."""
    if isinstance(value, dict):
        return not any(map(_holds_dict, value.values()))
    if isinstance(value, (list, tuple)) and len(value) == 1:
        return _fits_a_line(value[0])
    return not _holds_dict(value)


def _holds_dict(value: ConfigValue) -> bool:
    if isinstance(value, (list, tuple)):
        return any(map(_holds_dict, value))
    return isinstance(value, dict)


def _filled(items: list[str], indent: int) -> list[str]:
    """Short elements side by side, others one by one; a line is a comma-separated run of them."""
    lines: list[str] = []
    for text in items:
        room = bool(lines) and "\n" not in lines[-1] + text and "(" not in text
        if room and indent + len(lines[-1]) + len(text) + 3 <= WIDTH:
            lines[-1] += f", {text}"
        else:
            lines.append(text)
    return lines
