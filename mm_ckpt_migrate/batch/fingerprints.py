"""Digests of what decisions and results depend on, beside the bytes of their sources."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable

from mm_ckpt_migrate.batch.item import Item
from mm_ckpt_migrate.batch.options import Batch
from mm_ckpt_migrate.convert.options import EMBEDDED
from mm_ckpt_migrate.errors import MigrateError
from mm_ckpt_migrate.identify.layouts.table import LAYOUTS
from mm_ckpt_migrate.identify.layouts.weights import WEIGHTS
from mm_ckpt_migrate.mapping.rules.library import rules_folder


def rules_digest() -> str:
    """Of the installed rule files."""
    sha = hashlib.sha256()
    for path in sorted(rules_folder().glob("*.yaml")):
        sha.update(hashlib.sha256(path.read_bytes()).digest())
    return sha.hexdigest()


def plan_key(batch: Batch, rules: str) -> str:
    """Of what all decisions depend on."""
    listed = json.dumps({name: list(configs) for name, configs in batch.listed.items()})
    parts = [batch.options.digest(rules), listed.encode().hex()]
    parts += [hashlib.sha256(path.read_bytes()).hexdigest() for path in (LAYOUTS, WEIGHTS)]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def item_keys(items: Iterable[Item], batch: Batch, rules: str) -> dict[str, str]:
    """For each input, of all that its result depends on but its own bytes."""
    base, configs = batch.options.digest(rules), dict[str, str]()
    keys = {}
    for item in items:
        if item.config not in configs:
            configs[item.config] = _config_digest(item.config)
        keys[item.source] = _key(item, base, configs[item.config])
    return keys


def _key(item: Item, base: str, config: str) -> str:
    decided = (item.action.value, item.destination, item.publish, item.family, item.config)
    return hashlib.sha256(os.fsencode("\0".join((base, config, *decided)))).hexdigest()


def _config_digest(config: str) -> str:
    """Of a config's values, with those of the files that it inherits from."""
    from mm_ckpt_migrate.configs.read.config import read_config
    from mm_ckpt_migrate.configs.read.find import find_config

    if config in ("", "-", EMBEDDED):
        return ""
    try:
        values = repr(read_config(find_config(config)))
    except MigrateError as error:
        values = error.message  # its own conversion says so
    return hashlib.sha256(os.fsencode(values)).hexdigest()
