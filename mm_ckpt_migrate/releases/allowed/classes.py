"""The registered names that may be built from a config, as `tools/classes/scan.py` found them.

One file a package and release lies in `classes/`. The lists of all releases count together: a
class is known by its name and package, so that a release which moved it is not refused for that.
Both sides use this, and the old release's Python as well: the parent on the text of a config, the
child on what a registry is about to hand out.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from mm_ckpt_migrate.releases.allowed.permitted import OPENMMLAB, within

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "classes")
REFUSED = "REFUSED"
PATH = "-"
"""The scope of a class's own name, where it is registered under another: only a path ends in it."""
ROOT = "mmengine"
"""The scope that every other falls back on: mmengine's, with mmcv's and torch's classes."""

MODEL = ("model", "task_util", "op")
"""The registries that a model's parts come from; `op` is for words that name an operator."""
INITIALIZERS = ("weight_initializer",)
TRAINING = ("optim_wrapper", "optimizer", "optimizer_wrapper_constructor", "parameter_scheduler")
EVALUATION = (*MODEL, "dataset", "transform", "metric", "evaluator", "data_sampler", "function", "loop")

_SAME = {"mmcls": "mmpretrain", "mmcv": ROOT}
"""Scopes by their other names."""


class Listed(NamedTuple):
    """A registered name in one release.

    Attributes:
        limits: what a setting must not be (`no-text`), or all that it may be (`one|other`).
        cleared: whether it may be built at all.
    """

    scope: str
    registry: str
    module: str
    limits: tuple[tuple[str, str], ...]
    cleared: bool


@functools.cache
def table() -> dict[str, list[Listed]]:
    """All lines of all files, by name."""
    found: dict[str, list[Listed]] = {}
    for file in sorted(os.listdir(FOLDER)):
        if file.endswith(".txt"):
            with open(os.path.join(FOLDER, file), encoding="ascii") as lines:
                for line in lines:
                    scope, registry, name, module, *rest = line.split()
                    cleared = rest != [REFUSED]
                    limits = tuple(_limit(word) for word in rest) if cleared else ()
                    listed = Listed(scope, registry, module, limits, cleared)
                    found.setdefault(name, []).append(listed)
    return found


def _limit(word: str) -> tuple[str, str]:
    setting, _, limit = word.partition("=")
    return setting, limit


def find(kind: str, scope: str, registries: Iterable[str]) -> list[Listed]:
    """What a `type` may mean: `Name`, `scope.Name`, or the path of a class with its modules.

    Args:
        scope: where a name without one is looked up first.
    """
    prefix, _, name = kind.rpartition(".")
    rows = [row for row in table().get(name, ()) if row.registry in registries]
    if name == kind:
        return [row for row in rows if row.scope in (scope, ROOT)]
    wanted = _SAME.get(prefix, prefix)
    # `mmdet.MultiheadAttention`, which old configs have, is mmcv's: a scope falls back on the root.
    scopes = (wanted, ROOT) if prefix in OPENMMLAB else (wanted,)
    return [row for row in rows if row.scope in scopes or within(row.module, (prefix,))]


def broken_limit(rows: Iterable[Listed], settings: Mapping[object, object]) -> str | None:
    """The first setting that must not be what it is."""
    for row in rows:
        for setting, limit in row.limits:
            value = settings.get(setting)
            if isinstance(value, str) and (limit == "no-text" or value not in limit.split("|")):
                return setting
    return None


def kind_of(registry: Any) -> str:
    """What the list calls a registry of mmengine's: as the one is called that it falls back on.

    mmdet has another name than mmengine for its registry of optimizer wrapper constructors.
    """
    while registry.parent is not None:
        registry = registry.parent
    return str(registry.name).replace(" ", "_")


def may_build(found: object, key: str, registry: str, packages: Iterable[str] = ()) -> bool:
    """Whether a registry may hand out what it found.

    Args:
        key: what was asked for.
        registry: what the list calls the registry, see `kind_of`.
        packages: packages all of whose classes the user trusts.
    """
    module = str(getattr(found, "__module__", ""))
    if within(module, tuple(packages)):
        return True
    home = module.partition(".")[0]
    rows = [
        row
        for row in table().get(key.rpartition(".")[2], ())
        if row.registry == registry and row.module.partition(".")[0] == home
    ]
    return bool(rows) and all(row.cleared for row in rows)
