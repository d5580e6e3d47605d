"""Where two configs of one model say different things, most of which no shape of a tensor shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

from mm_ckpt_migrate.configs.values import Config, ConfigValue
from mm_ckpt_migrate.names import safe_text

# One setting: its path, and what the two configs say; "nothing" where one leaves it out.
Difference: TypeAlias = tuple[str, str, str]

# How weights are made at first, which a checkpoint has behind it, and what saves memory alone.
_IGNORED: Final = frozenset({"init_cfg", "pretrained", "inplace"})
# Parts that the migration rewrites, and where the releases' own configs leave out what is the
# default: what one of two configs does not say there tells nothing.
_REWRITTEN: Final = frozenset(
    {
        "encoder",
        "decoder",
        "transformer",
        "transformer_decoder",
        "pixel_decoder",
        "positional_encoding",
        "train_cfg",
    }
)
# What shapes show.
_SHAPED: Final = frozenset({"embed_dims", "num_reg_fcs"})
# Outside of the model before mmengine.
_PIPELINE: Final = "data_preprocessor"
_NOTHING: Final = "nothing"
_MAX_VALUE: Final = 60


def differing_settings(given: Config, inside: Config) -> list[Difference]:
    """What two configs of the current release say differently of their `model`, in order."""
    first, second = given.get("model"), inside.get("model")
    if not isinstance(first, dict) or not isinstance(second, dict):
        return []
    return list(_of_dicts(first, second, ("model",)))


def _of_dicts(given: Config, inside: Config, path: tuple[str, ...]) -> Iterator[Difference]:
    for key in dict.fromkeys((*given, *inside)):
        if key in _IGNORED or (key == _PIPELINE and key not in inside):
            continue
        if key in given and key in inside:
            yield from _of_values(given[key], inside[key], (*path, key), key)
        elif _tells(given.get(key, inside.get(key)), (*path, key)):
            first, second = (_shown(c[key]) if key in c else _NOTHING for c in (given, inside))
            yield ".".join((*path, key)), first, second


def _tells(value: ConfigValue, path: tuple[str, ...]) -> bool:
    """Whether a setting that one of the two leaves out makes a difference."""
    return value is not None and path[-1] not in _SHAPED and not _REWRITTEN.intersection(path)


def _of_values(
    given: ConfigValue, inside: ConfigValue, path: tuple[str, ...], key: str
) -> Iterator[Difference]:
    if isinstance(given, dict) and isinstance(inside, dict):
        yield from _of_dicts(given, inside, path)
    elif isinstance(given, (list, tuple)) and isinstance(inside, (list, tuple)):
        if len(given) == len(inside):
            for number, (first, second) in enumerate(zip(given, inside, strict=True)):
                yield from _of_values(first, second, (*path, str(number)), key)
        else:
            yield ".".join(path), _shown(given), _shown(inside)
    elif _plain(given, key) != _plain(inside, key):
        yield ".".join(path), _shown(given), _shown(inside)


def _plain(value: ConfigValue, key: str) -> ConfigValue:
    """A class's name without its package, which may be left out."""
    return value.rpartition(".")[2] if key == "type" and isinstance(value, str) else value


def _shown(value: ConfigValue) -> str:
    return safe_text(repr(value), _MAX_VALUE)
