"""A model config made fit for building: nothing to download, nothing to run, nothing foreign.

A config is text from a stranger, and a class is called with whatever it says there. So every
`type` in it is on the list of classes that a scan cleared (see `classes`) before a child sees it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mm_ckpt_migrate.errors import ConfigError
from mm_ckpt_migrate.releases.allowed import classes
from mm_ckpt_migrate.releases.allowed.listed import Rules, check, listed
from mm_ckpt_migrate.releases.allowed.literal import literal
from mm_ckpt_migrate.releases.allowed.permitted import OPENMMLAB, permitted

SCOPES = ("mmdet", "mmseg")

_WEIGHT_KEYS: Final = frozenset({"pretrained", "load_from", "teacher_ckpt"})
_WEIGHT_INITS: Final = frozenset({"Pretrained", "PretrainedInit"})


@dataclass(frozen=True, slots=True)
class TargetRequest:
    """Everything that decides what gets built.

    Attributes:
        model: the model config as Python literal text, without pretrained weights.
        scope: the mmengine default scope, `mmdet` or `mmseg`.
        imports: the config's `custom_imports`, all of them permitted.
        packages: the packages all of whose classes the user trusts.
        needs: the packages that imports and types name, which must be installed.
        source: what to call the config in messages.
        inside: nobody named the config: it lies inside a checkpoint.
        allow_unconfined: build it even so where the system has no wall to build it within.
    """

    model: str
    scope: str
    imports: tuple[str, ...]
    packages: tuple[str, ...]
    needs: tuple[str, ...]
    source: str
    inside: bool = True
    allow_unconfined: bool = False

    @property
    def confined(self) -> bool:
        """Whether a wall is a condition (see `wall`); where it is none, it is built if it can."""
        return self.inside and not self.allow_unconfined

    def message(self, what: str) -> dict[str, object]:
        """The request for a child that is to do this with the model: see `serve`."""
        return {
            "do": what,
            "model": self.model,
            "scope": self.scope,
            "imports": self.imports,
            "packages": self.packages,
            "needs": self.needs,
            "confined": self.confined,
            "source": self.source,
        }


# Our own, which a config names to load old files; a model is built without it.
_LOADER: Final = "mm_ckpt_migrate.mmengine_loader"


def make_request(
    model: Mapping[str, object],
    scope: str,
    *,
    imports: Sequence[str] | str = (),
    allow_imports: Sequence[str] = (),
    allow_unconfined: bool = False,
    source: Path | str = "target config",
) -> TargetRequest:
    """Strip and check a model config.

    Args:
        imports: the module names, or the one name, of the config's `custom_imports`.
        allow_imports: packages, or modules, all of whose classes the user trusts.
        allow_unconfined: build a config that nobody named even where there is no wall.
        source: the file that a user named; or, of a config that nobody named, what to call it.

    Raises:
        ConfigError: the scope is unknown, a value is no plain literal, a `type` is not on the
            list, a setting names what its class would load or evaluate, or an import is neither
            OpenMMLab's nor allowed.
    """
    if scope not in SCOPES:
        raise ConfigError(source, f"unknown scope {scope!r}: expected one of {', '.join(SCOPES)}")
    packages = tuple(sorted(set(allow_imports)))
    given = (imports,) if isinstance(imports, str) else tuple(imports)
    modules = tuple(name for name in given if name != _LOADER)
    literal(model, source)  # first: it bounds the depth that the walks below recurse to
    for name in modules:
        _check_import(name, packages, source)
    stripped = _strip(model, Rules(scope, classes.INITIALIZERS, packages, source))
    named = check(stripped, "model", Rules(scope, classes.MODEL, packages, source))
    needs = {name.partition(".")[0] for name in (*modules, *named)}
    return TargetRequest(
        model=literal(stripped, source),
        scope=scope,
        imports=modules,
        packages=packages,
        needs=tuple(sorted(needs)),
        source=str(source),
        inside=not isinstance(source, Path),
        allow_unconfined=allow_unconfined,
    )


def _check_import(name: str, packages: Sequence[str], source: Path | str) -> None:
    if not permitted(name, packages):
        raise ConfigError(
            source,
            f"custom_imports: {name!r} would import a package that is not one of {', '.join(OPENMMLAB)}",
            hint=f"If you trust that code: --allow-import {name.partition('.')[0]}",
        )


def _strip(value: object, rules: Rules) -> object:
    """A copy that loads no weights; keys stay, since some constructors insist on them."""
    if isinstance(value, Mapping):
        return {key: _strip_entry(key, item, rules) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)([_strip(item, rules) for item in value])
    return value


def _strip_entry(key: object, value: object, rules: Rules) -> object:
    if key in _WEIGHT_KEYS and (value is True or isinstance(value, str)):
        return None
    if key == "init_cfg":
        if isinstance(value, (list, tuple)):
            return type(value)([item for item in value if _initializes(item, rules)])
        return value if _initializes(value, rules) else None
    return _strip(value, rules)


def _initializes(init: object, rules: Rules) -> bool:
    """Whether it fills weights by numbers alone, which a state dict does not need either."""
    kind = init.get("type") if isinstance(init, Mapping) else None
    loads = isinstance(kind, str) and kind.rpartition(".")[2] in _WEIGHT_INITS
    return not loads and listed(init, rules)
