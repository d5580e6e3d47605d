"""Read the inputs that a person lists, and the configs that a zoo's metafiles list for its files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mm_ckpt_migrate.configs.read.shipped import SCOPES, Scope, config_root, distribution
from mm_ckpt_migrate.errors import CheckpointError, ConfigError
from mm_ckpt_migrate.verify.reference import METRIC
from mm_ckpt_migrate.zoo.metafile import ZooModel, models
from mm_ckpt_migrate.zoo.read import INDEXES, leads_out, read_zoo
from mm_ckpt_migrate.zoo.yamltree import MAX_BYTES, Item, YamlError, read_yaml

_MAX_LIST: Final = 64 << 20


def read_names(path: Path) -> list[str]:
    """The lines of a list of paths; `-` is standard input.

    Raises:
        CheckpointError: it cannot be read, or is longer than any list.
    """
    try:
        with open(0 if str(path) == "-" else path, "rb", closefd=str(path) != "-") as file:
            raw = file.read(_MAX_LIST + 1)
    except OSError as error:
        raise CheckpointError(path, f"the list cannot be read: {error.strerror}") from error
    if len(raw) > _MAX_LIST:
        raise CheckpointError(path, f"the list is longer than {_MAX_LIST >> 20} MiB")
    return [os.fsdecode(line) for line in raw.splitlines() if line.strip()]


@dataclass(frozen=True, slots=True)
class Listed:
    """What a zoo's metafiles say of its files, by their names.

    Attributes:
        metrics: the mIoU, where there is exactly one, in percent.
    """

    configs: Mapping[str, tuple[str, ...]]
    metrics: Mapping[str, float]


def read_listed(path: Path) -> Listed:
    """Read a zoo's metafiles.

    Args:
        path: a zoo's folder, its model-index.yml, one of its metafiles, or `mmseg` or `mmdet` for
            the installed one.

    Raises:
        ConfigError: it cannot be read, or lists no model.
    """
    path = zoo_path(path)
    if path.is_dir() or path.name in INDEXES:
        zoo = read_zoo(path if path.is_dir() else path.parent)
        return _listed(zoo.models, zoo.root)
    found = list(models(_read(path), path.name))
    if not found:
        raise ConfigError(path, "lists no model", hint="Give a metafile.yml, or a zoo's folder.")
    return _listed(found, _root(path, found))


def zoo_path(path: Path) -> Path:
    """The installed package's own zoo, where a package is named."""
    if path.exists() or str(path) not in SCOPES:
        return path
    scope: Scope = "mmseg" if str(path) == "mmseg" else "mmdet"
    root = config_root(scope)
    if root is None:
        raise ConfigError(path, "is not installed", hint=f"pip install {distribution(scope)}")
    return root.parent


def _read(path: Path) -> Item:
    try:
        with path.open("rb") as file:
            return read_yaml(file.read(MAX_BYTES + 1))
    except OSError as error:
        raise ConfigError(path, f"cannot be read: {error.strerror}") from error
    except YamlError as error:
        raise ConfigError(path, error.reason, line=error.line) from error


def _root(path: Path, found: Iterable[ZooModel]) -> Path:
    """The folder above a metafile from which its configs are found."""
    configs = [config for model in found for config in model.configs if not leads_out(config)]
    for folder in path.resolve().parents:
        if any((folder / config).is_file() for config in configs):
            return folder
    return path.parent


def _listed(found: Sequence[ZooModel], root: Path) -> Listed:
    metrics = {name: _metric(model) for model in found for name in model.files}
    return Listed(
        _configs(found, root), {name: value for name, value in metrics.items() if value is not None}
    )


def _metric(model: ZooModel) -> float | None:
    values = {metric.value for metric in model.metrics if metric.name == METRIC}
    return values.pop() if len(values) == 1 else None


def _configs(found: Iterable[ZooModel], root: Path) -> dict[str, tuple[str, ...]]:
    """Of several configs each counts, there or not; one alone has to be there."""
    listed: dict[str, set[Path]] = {}
    for model in found:
        places = {root / config for config in model.configs if not leads_out(config)}
        for name in model.files:
            listed.setdefault(name, set()).update(places)
    return {
        name: tuple(sorted(map(str, places)))
        for name, places in listed.items()
        if len(places) > 1 or any(place.is_file() for place in places)
    }
