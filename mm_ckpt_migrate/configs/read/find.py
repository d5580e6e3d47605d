"""Find a config by path or by name, and say which package's scope it belongs to."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Final

from mm_ckpt_migrate.configs.read.shipped import (
    SCOPES,
    Scope,
    config_root,
    distribution,
    shipped_config,
    shipped_names,
)
from mm_ckpt_migrate.configs.values import Config, lookup
from mm_ckpt_migrate.errors import ConfigError

_SHOWN: Final = 10
_DETECTOR_PARTS: Final = (
    "bbox_head",
    "panoptic_head",
    "rpn_head",
    "roi_head",
    "mask_head",
    "track_head",
    "detector",
)


def find_config(name_or_path: str) -> Path:
    """The file of a config: an existing path, or the name of one that mmseg or mmdet ships.

    A name may have its folder and `.py` or not, and may say its package: `mmseg::maskformer/x`.

    Raises:
        ConfigError: there is no such file and no such name, or several configs have the name.
    """
    path = os.path.expanduser(name_or_path)
    if os.path.isfile(path):
        return Path(path)
    if os.path.isdir(path):
        raise ConfigError(name_or_path, "is a folder, not a config")
    if "::" in name_or_path:
        return shipped_config(name_or_path)
    matches = _matches(name_or_path)
    if len(matches) == 1:
        return shipped_config(matches[0])
    if matches:
        raise ConfigError(
            name_or_path,
            f"{len(matches)} shipped configs have this name",
            hint="give one of: " + _listed(matches),
        )
    raise ConfigError(
        name_or_path, "no such file, and no shipped config of this name", hint=_hint(name_or_path)
    )


def config_scope(path_or_name: str | Path | None, config: Config) -> Scope:
    """The package whose registry builds the config's model.

    The first of these that says it: `default_scope`, the package that ships the file, the
    prefix of the model's type, the model's parts. Otherwise mmseg.

    Raises:
        ConfigError: `default_scope` is another package's.
    """
    default = config.get("default_scope")
    for scope in SCOPES:
        if default == scope:
            return scope
    if isinstance(default, str):
        reason = f"its default_scope is {default!r}; only {' and '.join(SCOPES)} are supported"
        raise ConfigError(path_or_name or "the config", reason)
    return _shipping_package(path_or_name) or _scope_of_model(config)


def _matches(name: str) -> list[str]:
    wanted = name.removesuffix(".py").removeprefix("configs/")
    exact, partial = [], []
    for scope in SCOPES:
        for shipped in shipped_names(scope):
            stem = shipped.removesuffix(".py")
            if stem == wanted:
                exact.append(f"{scope}::{shipped}")
            elif stem.endswith(f"/{wanted}"):
                partial.append(f"{scope}::{shipped}")
    return exact or partial


def _hint(name: str) -> str:
    missing = [distribution(scope) for scope in SCOPES if config_root(scope) is None]
    if len(missing) == len(SCOPES):
        return f"give the path of a config, or install one of {', '.join(missing)}"
    names = {
        Path(shipped).stem: f"{scope}::{shipped}" for scope in SCOPES for shipped in shipped_names(scope)
    }
    close = [names[stem] for stem in difflib.get_close_matches(Path(name).stem[:200], names)]
    hint = f"did you mean {_listed(close)}?" if close else "give the path of a config"
    return f"{hint} ({missing[0]} is not installed)" if missing else hint


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _shipping_package(path_or_name: str | Path | None) -> Scope | None:
    if path_or_name is None:
        return None
    path = Path(path_or_name).resolve()
    for scope in SCOPES:
        root = config_root(scope)
        if str(path_or_name).startswith(f"{scope}::"):
            return scope
        if root is not None and path.is_relative_to(root.resolve()):
            return scope
    return None


def _scope_of_model(config: Config) -> Scope:
    model = config.get("model")
    kind = lookup(config, "model.type")
    for scope in SCOPES:
        if isinstance(kind, str) and kind.startswith(f"{scope}."):
            return scope
    if isinstance(model, dict) and "decode_head" not in model:
        return "mmdet" if any(part in model for part in _DETECTOR_PARTS) else "mmseg"
    return "mmseg"
