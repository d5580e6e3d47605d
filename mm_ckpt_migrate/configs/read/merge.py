"""How a config changes the ones that it inherits from: mmengine's rules, to the letter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mm_ckpt_migrate.configs.static.budget import Budget, UnreadableError
from mm_ckpt_migrate.configs.static.tree import plain, plain_dict
from mm_ckpt_migrate.configs.values import Config, ConfigValue
from mm_ckpt_migrate.errors import ConfigError

DELETE_KEY: Final = "_delete_"


def merge(base: Config, child: Config) -> Config:
    """Return `base` as changed by `child`; what is shared with either is not copied.

    A dict is merged into a dict, anything else replaces. `_delete_=True` in a dict of `child`
    empties the dict of `base` first; as in mmengine, it stays where there is nothing to delete.

    Raises:
        UnreadableError: `child` has a dict where `base` has something else.
    """
    merged = dict(base)
    for key, value in child.items():
        merged[key] = _merge_value(key, base.get(key), value) if key in base else value
    return merged


def _merge_value(key: str, old: ConfigValue, new: ConfigValue) -> ConfigValue:
    if not isinstance(new, dict):
        return new
    rest = {name: value for name, value in new.items() if name != DELETE_KEY}
    if new.get(DELETE_KEY, False):
        return rest
    if not isinstance(old, dict):
        raise UnreadableError(
            f"{key!r:.80} is a dict here, but a {type(old).__name__} in the base config"
            f" (write {DELETE_KEY}=True in the dict to replace it)"
        )
    return merge(old, rest)


def override(config: Config, options: Mapping[str, ConfigValue]) -> Config:
    """Return a copy of `config` with some values set, as mmengine's `--cfg-options` does.

    Keys are dotted paths; a number stands for an element of a list, and dicts that are missing
    on the way are made.

    Raises:
        ConfigError: a path leads through a value that is neither dict nor list, or past the end
            of a list.
    """
    result = plain_dict(config, Budget())
    for path, value in options.items():
        key, *rest = path.split(".")
        try:
            result[key] = _with(result.get(key, {}), rest, plain(value, Budget()))
        except UnreadableError as error:
            raise ConfigError(path, str(error)) from error
    return result


def _with(value: ConfigValue, path: list[str], new: ConfigValue) -> ConfigValue:
    if not path:
        return _merge_value("the value", value, new) if isinstance(value, dict) else new
    key, *rest = path
    if isinstance(value, dict):
        return {**value, key: _with(value.get(key, {}), rest, new)}
    if isinstance(value, list) and key.isdecimal() and int(key) < len(value):
        changed = list(value)
        changed[int(key)] = _with(value[int(key)], rest, new)
        return changed
    raise UnreadableError(f"there is no {key!r} in a {type(value).__name__}")
