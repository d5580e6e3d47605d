"""Where two configs say different things, setting by setting."""

from __future__ import annotations

from collections.abc import Iterator

from mm_ckpt_migrate.configs.values import Config, ConfigValue


def differing_settings(first: Config, second: Config) -> tuple[str, ...]:
    """Dotted paths of the settings that only one of both has, or that they have otherwise."""
    return tuple(_differing(first, second, ""))


def _differing(first: ConfigValue, second: ConfigValue, path: str) -> Iterator[str]:
    if isinstance(first, dict) and isinstance(second, dict):
        for name in dict.fromkeys((*first, *second)):
            below = f"{path}.{name}" if path else name
            if name not in first or name not in second:
                yield below
            else:
                yield from _differing(first[name], second[name], below)
    elif _alike(first, second):
        assert isinstance(first, (list, tuple))
        assert isinstance(second, (list, tuple))
        for number, (one, other) in enumerate(zip(first, second, strict=True)):
            yield from _differing(one, other, f"{path}.{number}")
    elif repr(first) != repr(second):  # 1 is not True, and -0.0 is not 0.0
        yield path


def _alike(first: ConfigValue, second: ConfigValue) -> bool:
    """Whether both are lists, or both tuples, of one length."""
    if not isinstance(first, (list, tuple)) or not isinstance(second, (list, tuple)):
        return False
    return type(first) is type(second) and len(first) == len(second)
