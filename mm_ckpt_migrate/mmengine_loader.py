"""`migrate://old.pth` wherever mmengine takes a checkpoint: it is migrated while it is loaded.

Importing this module registers the scheme, as `custom_imports` does in a config:

    custom_imports = dict(imports=["mm_ckpt_migrate.mmengine_loader"])
    load_from = "migrate://work_dirs/old.pth"
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Final

import torch
from mmengine.logging import print_log
from mmengine.runner import CheckpointLoader

from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.decide.family import AUTO
from mm_ckpt_migrate.convert.options import EMBEDDED, Options
from mm_ckpt_migrate.errors import (
    CheckpointError,
    ConfigError,
    DestinationError,
    IntegrityError,
    MigrateError,
    MissingSoftwareError,
    TargetMismatchError,
)
from mm_ckpt_migrate.files.archive.format import Format
from mm_ckpt_migrate.files.archive.scratch import scratch_folder
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.names import safe_text
from mm_ckpt_migrate.verdicts import ConvertReport, Rung, Status

SCHEME: Final = "migrate://"
_NO_CONFIG: Final = "-"
_MAX_LINE: Final = 10_000
_RUNGS: Final = (Rung.INTEGRITY, Rung.KEYS, Rung.ROLES)


def load_from_migrate(filename: str, map_location: Any = None) -> Any:
    """What `torch.load` gives of the file that `convert` makes.

    That is `convert auto - OLD NEW --no-build`: the model that the user built is not at hand, and
    what it misses is for `strict=True`, or for mmengine's own warnings, to say. Only a model tells
    where an optimizer's state belongs, so with one it is `convert auto embedded OLD NEW`, where
    the config inside can be built. A file in the new layout is loaded as it is.

    Args:
        filename: `migrate://` and a path, where `~` stands for the home folder.
        map_location: as `torch.load` takes it.

    Raises:
        CheckpointError: the checkpoint is damaged, hostile, or not one that mmengine can load.
        FamilyError: it is of no family, half migrated, or another project's.
        PlanError: a guarantee of the plan is broken.
        TargetMismatchError: the config inside builds another model.
        DestinationError: the folder for temporary files cannot hold a copy.
        IntegrityError: the copy is not what the source holds.
    """
    try:
        return _load(Path(os.path.expanduser(filename.removeprefix(SCHEME))), map_location)
    except MigrateError as error:
        # Whoever called mmengine sees the text of the exception, and would miss the hint.
        error.args = (_shown((error.message, _hint(error))),)
        raise


def _load(old: Path, map_location: Any) -> Any:
    trained = _holds_optimizer(old)
    with scratch_folder() as folder:
        new = folder / "new.pth"
        report = _migrate(old, new, trained)
        _check_verdicts(report)
        content = _read(report, map_location)
    lost = trained and "optimizer" not in content
    print_log(_shown(_notices(report)), logger="current", level=logging.WARNING if lost else logging.INFO)
    return content


def _holds_optimizer(old: Path) -> bool:
    """Raises CheckpointError where mmengine could not load what becomes of the file."""
    with Source(old) as source:
        checkpoint = open_checkpoint(source)
        if checkpoint.format is Format.SAFETENSORS:
            raise CheckpointError(
                old,
                "this is a safetensors file, which mmengine does not load",
                hint="`mm-ckpt-migrate convert` makes a new one of it.",
            )
        return "optimizer" in checkpoint.sections


def _migrate(old: Path, new: Path, trained: bool) -> ConvertReport:
    if trained:
        try:
            return convert(AUTO, EMBEDDED, old, new, Options())
        except (ConfigError, MissingSoftwareError) as error:
            text = f"The model of {old} cannot be built, to follow its optimizer: {error.message}"
            print_log(_shown((text,)), logger="current", level=logging.WARNING)
    return convert(AUTO, _NO_CONFIG, old, new, Options(build=False))


def _read(report: ConvertReport, map_location: Any) -> Any:
    """The new file's content; the source's, where there was nothing to rename."""
    try:
        return torch.load(report.destination or report.source, map_location, weights_only=True)
    except UnpicklingError as error:
        file = "the file that `mm-ckpt-migrate convert` makes" if report.destination else "it"
        raise CheckpointError(
            report.source,
            "torch.load refuses some of what it holds beside the weights",
            hint=f"`mm-ckpt-migrate inspect` names it. If you trust it, load {file} without "
            "migrate://, with TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1 in the environment.",
        ) from error


def _check_verdicts(report: ConvertReport) -> None:
    for verdict in report.verdicts:
        if verdict.status is Status.FAIL:
            details = "".join(f"\n  {line}" for line in verdict.details[:20])
            kind = IntegrityError if verdict.rung is Rung.INTEGRITY else TargetMismatchError
            raise kind(f"{report.source}: {verdict.summary}{details}")


def _notices(report: ConvertReport) -> list[str]:
    """What happened, in one line, and what else the user should know."""
    if report.destination is None:
        return [f"{report.source}: {notice}" for notice in report.notices]
    proof = ", ".join(
        f"{verdict.rung.value} {verdict.status.value}"
        for verdict in report.verdicts
        if verdict.rung in _RUNGS
    )
    done = (
        f"Migrated {report.source} while loading it ({report.family}: {report.moved} names change, "
        f"{report.kept} stay; {proof})"
    )
    return [done, *(f"Note: {notice}" for notice in report.notices)]


def _hint(error: MigrateError) -> str:
    if isinstance(error, DestinationError):
        return "A copy is made for a moment: let TMPDIR be a folder with room for it."
    return error.hint


def _shown(texts: Iterable[str]) -> str:
    """One text of several; what stands in files and in their names is shown harmlessly."""
    lines = (line for text in texts for line in text.split("\n") if line)
    return "\n".join(safe_text(line, _MAX_LINE) for line in lines)


CheckpointLoader.register_scheme(SCHEME, load_from_migrate, force=True)
