"""Pair a checkpoint with the config of its model in the current release."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from mm_ckpt_migrate.convert.options import EMBEDDED
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.identify.diagnosis.diagnosis import Diagnosis
from mm_ckpt_migrate.identify.layouts.table import Table
from mm_ckpt_migrate.identify.layouts.weights import zoo_files

_PACKAGES = {"mmsegmentation": "mmseg", "mmdet": "mmdet"}


@dataclass(frozen=True, slots=True)
class Pairing:
    """How a config was found.

    Attributes:
        config: as `convert` takes it; empty where none was found, or not one alone.
        how: in words; where there are several, which.
    """

    config: str
    how: str


def pair(
    name: str, checkpoint: Checkpoint, diagnosis: Diagnosis, table: Table, listed: Mapping[str, Sequence[str]]
) -> Pairing:
    """By the metafile, by the zoo's name of the file, by the config inside, by the exact layout.

    Args:
        name: of the file, without folders.
        listed: configs by the file names that a metafile gives them.
    """
    if given := listed.get(name):
        return _one(given, "the metafile")
    if known := _zoo_configs(name, table):
        return _one(known, "the zoo's name of the file")
    if checkpoint.config is not None:
        return Pairing(EMBEDDED, "the config inside")
    if diagnosis.goal is not None and diagnosis.identity is not None and diagnosis.identity.exact:
        config = shipped_name(diagnosis.goal.release, diagnosis.goal.config)
        return Pairing(config, "its exact layout")
    return Pairing("", "nothing tells which config it belongs to")


def _one(configs: Sequence[str], how: str) -> Pairing:
    if len(configs) == 1:
        return Pairing(configs[0], how)
    return Pairing("", f"{how} names several configs: {', '.join(sorted(configs))}")


def _zoo_configs(name: str, table: Table) -> list[str]:
    """The current configs of what releases called a file of this name."""
    file = zoo_files().get(name)
    found = {
        shipped_name(release, config) if table.is_current(release) else _counterpart(release, config, table)
        for release, config in (file.configs.items() if file else ())
    }
    return sorted(config for config in found if config)


def _counterpart(release: str, config: str, table: Table) -> str:
    now = table.counterparts[release].get(config)
    return shipped_name(table.current(release), now) if now else ""


def shipped_name(release: str, config: str) -> str:
    """A shipped config as `convert` takes it."""
    package = _PACKAGES[release.partition("-")[0]]
    return f"{package}::{PurePosixPath(config)}"
