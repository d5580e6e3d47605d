"""A model config made fit for building: nothing to download, nothing foreign to import.

A config is text from a stranger. mmengine imports whatever a dotted `type` names and calls it,
so `type="os.system"` would run a command; names are therefore checked before a child sees them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mm_ckpt_migrate.errors import ConfigError
from mm_ckpt_migrate.target.literal import literal
from mm_ckpt_migrate.target.permitted import permitted

TRUSTED_PACKAGES = ("mmcls", "mmcv", "mmdet", "mmengine", "mmpretrain", "mmseg")
"""Packages that a config may import from without being asked."""

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
        packages: the packages that dotted types may name.
        needs: the packages that they do name, which must be installed.
        source: what to call the config in messages.
    """

    model: str
    scope: str
    imports: tuple[str, ...]
    packages: tuple[str, ...]
    needs: tuple[str, ...]
    source: str


# Our own, which a config names to load old files; a model is built without it.
_LOADER: Final = "mm_ckpt_migrate.mmengine_loader"


def make_request(
    model: Mapping[str, object],
    scope: str,
    *,
    imports: Sequence[str] | str = (),
    allow_imports: Sequence[str] = (),
    source: Path | str = "target config",
) -> TargetRequest:
    """Strip and check a model config.

    Args:
        imports: the module names, or the one name, of the config's `custom_imports`.
        allow_imports: further packages, or modules, that the user trusts to be imported.

    Raises:
        ConfigError: the scope is unknown, a value is no plain literal, or the config would import
            from a package that is neither OpenMMLab's nor allowed.
    """
    if scope not in SCOPES:
        raise ConfigError(source, f"unknown scope {scope!r}: expected one of {', '.join(SCOPES)}")
    packages = tuple(sorted({*TRUSTED_PACKAGES, *allow_imports}))
    listed = (imports,) if isinstance(imports, str) else tuple(imports)
    modules = tuple(name for name in listed if name != _LOADER)
    text = literal(model, source)  # first: it bounds the depth that the walks below recurse to
    named = [("custom_imports", name) for name in modules] + list(_names(model, "model"))
    for where, name in named:
        _check(name, packages, where, source)
    stripped = _strip(model)
    if stripped != model:
        text = literal(stripped, source)
    needs = {name.partition(".")[0] for _, name in named}
    return TargetRequest(text, scope, modules, packages, tuple(sorted(needs)), str(source))


def _check(name: str, packages: Sequence[str], where: str, source: Path | str) -> None:
    if not permitted(name, packages):
        raise ConfigError(
            source,
            f"{where}: {name!r} would import a package that is not one of "
            f"{', '.join(TRUSTED_PACKAGES)}",
            hint=f"If you trust that code, allow it by name: {name.partition('.')[0]}.",
        )


def _names(value: object, where: str) -> Iterator[tuple[str, str]]:
    """The dotted types and the scopes of a config, which mmengine imports from, and their place."""
    if isinstance(value, Mapping):
        kind, scope = value.get("type"), value.get("_scope_")
        if isinstance(kind, str) and "." in kind:
            yield f"{where}.type", kind
        if isinstance(scope, str):
            yield f"{where}._scope_", scope
        for key, item in value.items():
            yield from _names(item, f"{where}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _names(item, f"{where}[{index}]")


def _strip(value: object) -> object:
    """A copy that loads no weights; keys stay, since some constructors insist on them."""
    if isinstance(value, Mapping):
        return {key: _strip_entry(key, item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)([_strip(item) for item in value])
    return value


def _strip_entry(key: object, value: object) -> object:
    if key in _WEIGHT_KEYS and (value is True or isinstance(value, str)):
        return None
    if key == "init_cfg":
        if _loads_weights(value):
            return None
        if isinstance(value, (list, tuple)):
            value = type(value)([item for item in value if not _loads_weights(item)])
    return _strip(value)


def _loads_weights(init: object) -> bool:
    kind = init.get("type") if isinstance(init, Mapping) else None
    return isinstance(kind, str) and kind.rpartition(".")[2] in _WEIGHT_INITS
