"""Settings that the weights decide: where a config of the current release leaves them out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mm_ckpt_migrate.configs.edits import Put
from mm_ckpt_migrate.configs.migrate.settings import of_kind
from mm_ckpt_migrate.configs.values import Config, lookup
from mm_ckpt_migrate.mapping.rules.detect import matches_any
from mm_ckpt_migrate.mapping.rules.ruleset import Need, RuleSet


def needed(config: Config, keys: Iterable[str], families: Sequence[RuleSet]) -> list[Put]:
    """What has to be set so that the config's model has a place for all of a state dict."""
    open_needs = open_in(config, families)
    if not open_needs:
        return []
    parts = [tuple(key.split(".")) for key in keys]
    return [
        Put(need.place, name, value, need.why)
        for need in open_needs
        if matches_any(need.key, parts)
        for name, value in need.settings.items()
        if name not in _settings(config, need)
    ]


def open_in(config: Config, families: Sequence[RuleSet]) -> list[Need]:
    """The needs that a config says nothing of, so that the weights must be asked."""
    return [
        need
        for rules in families
        for need in rules.needs
        if (settings := _settings(config, need))
        and of_kind(need.kind, settings)
        and not need.settings.keys() <= settings.keys()
    ]


def _settings(config: Config, need: Need) -> Config:
    found = lookup(config, ".".join(need.place))
    return found if isinstance(found, dict) else {}
