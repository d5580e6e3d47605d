"""Values as trees: plain copies for the reader's caller, base dicts for a config that inherits."""

from __future__ import annotations

from mm_ckpt_migrate.configs.static.budget import Budget, UnreadableError, check_int, check_nesting
from mm_ckpt_migrate.configs.values import Config, ConfigValue


class BaseDict(dict[str, ConfigValue]):
    """A dict that came from a base config, as mmengine's ConfigDict behaves.

    It differs from a dict written in the file itself: its keys are attributes, `update` merges
    nested dicts, `pop` forgives a missing key, and a plain dict stored in it is copied.
    """

    def put(self, key: str, value: ConfigValue, budget: Budget, depth: int = 0) -> None:
        """Store `value` under `key`.

        Raises:
            OverBudgetError: the value is too large, nested too deeply, or contains itself.
        """
        self[key] = adopt(value, budget, depth)

    def merge_update(self, other: Config, budget: Budget, depth: int = 0) -> None:
        """Update with `other`, merging dict into dict at every depth.

        Raises:
            OverBudgetError: the value is too large, nested too deeply, or contains itself.
        """
        check_nesting(depth)
        budget.spend(len(other))
        for key, value in list(other.items()):
            mine = self.get(key)
            if not isinstance(mine, dict) or not isinstance(value, dict):
                self.put(key, value, budget, depth)
            elif isinstance(mine, BaseDict):
                mine.merge_update(value, budget, depth + 1)
            else:
                mine.update(value)


def adopt(value: ConfigValue, budget: Budget, depth: int = 0) -> ConfigValue:
    """Copy the plain dicts inside `value` as base dicts; a base dict stays the same object.

    Raises:
        OverBudgetError: the value is too large, nested too deeply, or contains itself.
    """
    budget.spend()
    check_nesting(depth)
    if isinstance(value, BaseDict):
        return value
    if isinstance(value, dict):
        return BaseDict({key: adopt(item, budget, depth + 1) for key, item in value.items()})
    if isinstance(value, list):
        return [adopt(item, budget, depth + 1) for item in value]
    if isinstance(value, tuple):
        return tuple(adopt(item, budget, depth + 1) for item in value)
    return value


def plain(value: object, budget: Budget, depth: int = 0) -> ConfigValue:
    """Copy `value` as a tree of plain values in which nothing is shared.

    Each copy is counted, so that a small value that refers to itself many times over cannot
    grow without bound here or in whatever walks the result.

    Raises:
        OverBudgetError: the tree is too large or too deep, or the value contains itself.
        UnreadableError: the value is, or contains, something that a config does not hold.
    """
    budget.spend()
    check_nesting(depth)
    if value is None or isinstance(value, (bool, float, str)):
        return value
    if isinstance(value, int):
        return check_int(value)
    if isinstance(value, dict):
        return {text_key(key): plain(item, budget, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item, budget, depth + 1) for item in value]
    if isinstance(value, tuple):
        return tuple(plain(item, budget, depth + 1) for item in value)
    raise UnreadableError(f"a config does not hold a {type(value).__name__}")


def plain_dict(value: Config, budget: Budget) -> Config:
    """Copy a whole config with `plain`, with the same errors."""
    return {text_key(key): plain(item, budget) for key, item in value.items()}


def text_key(key: object) -> str:
    """Return `key`.

    Raises:
        UnreadableError: it is not a string.
    """
    if not isinstance(key, str):
        raise UnreadableError(f"a dict key is a {type(key).__name__}, not a string")
    return key
