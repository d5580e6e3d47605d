"""What a config holds: plain Python values in a tree, keyed by strings."""

from __future__ import annotations

from typing import TypeAlias, TypeGuard

Scalar: TypeAlias = "bool | int | float | str | None"
ConfigValue: TypeAlias = "Scalar | list[ConfigValue] | tuple[ConfigValue, ...] | Config"
Config: TypeAlias = "dict[str, ConfigValue]"


def is_scalar(value: object) -> TypeGuard[Scalar]:
    """Say whether `value` is a leaf: a string, a number, a bool or None."""
    return value is None or isinstance(value, (str, int, float))


def lookup(config: ConfigValue, path: str) -> ConfigValue:
    """Follow a dotted path, such as `model.decode_head.num_classes` or `pipeline.0.type`.

    A segment names a key of a dict, or the position of an element in a list or a tuple. None
    where the path leads nowhere, as where the config itself says None.
    """
    value = config
    for segment in path.split("."):
        if isinstance(value, dict) and segment in value:
            value = value[segment]
        elif isinstance(value, (list, tuple)) and _is_index(segment, len(value)):
            value = value[int(segment)]
        else:
            return None
    return value


def custom_imports(config: Config) -> tuple[str, ...]:
    """The modules that a config has imported, because they register what it names."""
    names = lookup(config, "custom_imports.imports")
    if isinstance(names, str):
        return (names,)
    return tuple(map(str, names)) if isinstance(names, (list, tuple)) else ()


def _is_index(segment: str, length: int) -> bool:
    return segment.isdecimal() and len(segment) < 10 and int(segment) < length
