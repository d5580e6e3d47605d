"""`convert` and `plan`: what the commands of these names do, with the same arguments."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mm_ckpt_migrate.convert.beside import config_inputs, inputs_of, outputs_of
from mm_ckpt_migrate.convert.options import Options, Purpose
from mm_ckpt_migrate.errors import DestinationError
from mm_ckpt_migrate.files.archive.format import Format, names_safetensors
from mm_ckpt_migrate.files.archive.outputs import check_outputs
from mm_ckpt_migrate.files.archive.privacy import as_private_as
from mm_ckpt_migrate.files.archive.progress import Progress, no_progress
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.pickles.garbage import uncollected
from mm_ckpt_migrate.verdicts import ConvertReport

if TYPE_CHECKING:
    from mm_ckpt_migrate.mapping.plan import Plan


def convert(
    family: str, cfg: str, old: Path, new: Path, options: Options, *, progress: Progress = no_progress
) -> ConvertReport:
    """Migrate one checkpoint.

    What is made is as private as the checkpoint, and as the config, which goes into it.

    Args:
        family: a family's name or number, or `auto`.
        cfg: the target config: a path, or the name of one that mmseg or mmdet ships.
        old: the checkpoint to read; it is never written.
        new: the file to make.
        progress: told the bytes of each storage that was copied.

    Raises:
        CheckpointError: the checkpoint is damaged, hostile, or not one.
        FamilyError: it is not of that family.
        PlanError: a guarantee of the plan is broken.
        ConfigError, MissingSoftwareError: the target cannot be built.
        TargetMismatchError: the plan's result is not what the target asks for.
        DestinationError: the destination must not or cannot be written.
        IntegrityError: the copy is not what the source holds.
    """
    with Source(old) as source, as_private_as(config_inputs(cfg)), uncollected():
        options = _with_format(new, options)
        said = check_outputs(outputs_of(new, options), lambda: inputs_of(old, cfg, options))
        if options.config_out is not None:
            from mm_ckpt_migrate.configs.migrate.file import check_suffix

            check_suffix(options.config_out)
        source.start_digest()
        # Imported while the digest is on its way, which takes most of the time.
        from mm_ckpt_migrate.convert.run import migrate

        report = migrate(source, family, cfg, new, options, progress=progress)
        return replace(report, notices=(*report.notices, *said))


def _with_format(new: Path, options: Options) -> Options:
    """With the format that the name of the new file means; raises DestinationError."""
    if names_safetensors(new):
        if options.format not in (None, Format.SAFETENSORS):
            raise DestinationError(
                new,
                f"by its name it is no {options.format.value} file",
                hint="Leave --format out, or give another name.",
            )
        options = replace(options, format=Format.SAFETENSORS)
    if options.format is Format.SAFETENSORS and options.purpose is Purpose.RESUME:
        raise DestinationError(
            new,
            "a safetensors file holds tensors and text, and no training can resume from it",
            hint="Let NEW be a .pth file, or leave --for resume out.",
        )
    return options


def plan(family: str, cfg: str, old: Path, options: Options) -> tuple[Plan | None, ConvertReport]:
    """Decide what `convert` would do; nothing is written but the plan file, where one is asked for.

    Returns:
        The plan, or None where there is nothing to do; and the report.

    Raises:
        MigrateError: as `convert` does, but for the writing.
    """
    from mm_ckpt_migrate.convert.run import plan_migration

    with Source(old) as source, as_private_as(config_inputs(cfg)), uncollected():
        outputs = outputs_of(None, options)
        said = check_outputs(outputs, lambda: inputs_of(old, cfg, options))
        table, report = plan_migration(source, family, cfg, options)
        return table, replace(report, notices=(*report.notices, *said))
