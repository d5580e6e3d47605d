"""`convert` and `plan`."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from mm_ckpt_migrate.cli import arguments as args
from mm_ckpt_migrate.cli.boundary import command
from mm_ckpt_migrate.cli.usage import refuse_idle

if TYPE_CHECKING:
    from mm_ckpt_migrate.verdicts import ConvertReport


class OutputFormat(str, Enum):
    """Containers that `convert` writes."""

    ZIP = "zip"
    SAFETENSORS = "safetensors"


class For(str, Enum):
    """What a new file is for."""

    RESUME = "resume"
    INFERENCE = "inference"


class Weights(str, Enum):
    """Which weights, where a training with an average has two sets."""

    RAW = "raw"
    EMA = "ema"


_OF_BUILDS: Final = ("allow_import", "allow_unconfined", "no_cache")


@command
def convert(
    family: args.FamilyArgument,
    cfg: args.ConfigArgument,
    old: args.OldArgument,
    new: args.NewArgument,
    no_build: args.NoBuildOption = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Replace an existing NEW, a plan that --plan names, a config by --config-out."
        ),
    ] = False,
    force_family: args.ForceFamilyOption = False,
    reverse: Annotated[
        bool, typer.Option("--reverse", help="Give the old file back, from a migrated OLD and its stamp.")
    ] = False,
    plan_file: args.PlanOption = None,
    output_format: Annotated[
        OutputFormat | None, typer.Option("--format", help="Container of NEW. Default: the same as OLD's.")
    ] = None,
    purpose: Annotated[
        For | None,
        typer.Option(
            "--for",
            help="resume: fail where the optimizer cannot follow. inference: weights, meta and "
            "config only. Default: all that is there.",
        ),
    ] = None,
    weights: Annotated[
        Weights | None, typer.Option("--weights", help="With --for inference: averaged (ema) or raw ones.")
    ] = None,
    keep_as_is: Annotated[
        bool,
        typer.Option(
            "--keep-as-is",
            help="Do not make log buffers and numpy's numbers plain, which torch.load refuses.",
        ),
    ] = False,
    config_out: Annotated[
        Path | None, typer.Option("--config-out", metavar="FILE", help="Write the target config there.")
    ] = None,
    no_crc: args.NoCrcOption = False,
    expect_sha256: Annotated[
        str | None,
        typer.Option(
            "--expect-sha256",
            metavar="HEX",
            help="Refuse OLD where its SHA-256 does not begin with this (8 digits at least).",
        ),
    ] = None,
    keep_opaque: args.KeepOpaqueOption = False,
    allow_import: args.AllowImportOption = None,
    allow_unconfined: args.AllowUnconfinedOption = False,
    rules: args.RulesOption = None,
    no_cache: args.NoCacheOption = False,
    as_json: args.JsonOption = False,
) -> int:
    """Make a checkpoint that the current release loads, and show why to trust it.

    OLD is never written. NEW appears whole or not at all.
    """
    from mm_ckpt_migrate.cli.progress import copying
    from mm_ckpt_migrate.convert.api import convert as run
    from mm_ckpt_migrate.convert.options import Options, Purpose
    from mm_ckpt_migrate.files.archive.format import Format

    _check_reverse(reverse, no_build)
    _check_container(new, output_format, purpose)
    if weights is not None and purpose is not For.INFERENCE:
        raise typer.BadParameter("--weights picks for a file made with --for inference")
    if config_out is not None and (reverse or cfg == "-"):
        raise typer.BadParameter("--config-out writes the target config, and there is none")
    if expect_sha256 is not None and not re.fullmatch(r"[0-9a-fA-F]{8,64}", expect_sha256):
        raise typer.BadParameter("--expect-sha256 takes 8 to 64 hexadecimal digits")
    options = Options(
        build=not no_build,
        force=force,
        force_family=force_family,
        reverse=reverse,
        plan_file=plan_file,
        format=Format(output_format.value) if output_format else None,
        check_crc=not no_crc,
        expected_digest=expect_sha256,
        keep_opaque=keep_opaque,
        allow_imports=tuple(allow_import or ()),
        allow_unconfined=allow_unconfined,
        cache=not no_cache,
        rules=tuple(rules or ()),
        purpose=Purpose(purpose.value) if purpose else None,
        raw_weights=weights is Weights.RAW,
        averaged_weights=weights is Weights.EMA,
        keep_as_is=keep_as_is,
        config_out=config_out,
    )
    with copying(old) as progress:
        report = run(family, cfg, old, new, options, progress=progress)
    return _shown(report, as_json)


def _shown(report: ConvertReport, as_json: bool) -> int:
    from mm_ckpt_migrate.cli.asjson import print_json
    from mm_ckpt_migrate.cli.render import print_report

    if as_json:
        print_json(report.to_json())
    else:
        print_report(report, "Converted" if report.destination else "Refused")
    return report.exit_code


def _check_reverse(reverse: bool, no_build: bool) -> None:
    said = "with --reverse: all is as the plan says"
    refuse_idle(reverse, said, "purpose", "force_family", "keep_as_is", "rules")
    refuse_idle(reverse or no_build, "where no model is built", *_OF_BUILDS)


def _check_container(new: Path, output_format: OutputFormat | None, purpose: For | None) -> None:
    from mm_ckpt_migrate.files.archive.format import names_safetensors

    if output_format is not OutputFormat.SAFETENSORS and not names_safetensors(new):
        return
    refuse_idle(True, "on a safetensors file, which holds no logs", "keep_as_is")
    if output_format is OutputFormat.ZIP:
        raise typer.BadParameter(f"--format zip contradicts the name of NEW, {new.name}")
    if purpose is For.RESUME:
        raise typer.BadParameter("--for resume: no training can resume from a safetensors file")


@command
def plan(
    family: args.FamilyArgument,
    cfg: args.ConfigArgument,
    old: args.OldArgument,
    no_build: args.NoBuildOption = False,
    force_family: args.ForceFamilyOption = False,
    plan_file: args.PlanOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the FILE of --plan, if there is one.")
    ] = False,
    no_crc: args.NoCrcOption = False,
    keep_opaque: args.KeepOpaqueOption = False,
    allow_import: args.AllowImportOption = None,
    allow_unconfined: args.AllowUnconfinedOption = False,
    rules: args.RulesOption = None,
    no_cache: args.NoCacheOption = False,
    as_json: args.JsonOption = False,
) -> int:
    """Show what `convert` would do: the table old name to new name. Writes nothing but --plan."""
    from mm_ckpt_migrate.cli.asjson import print_json
    from mm_ckpt_migrate.cli.render import print_plan, print_report
    from mm_ckpt_migrate.convert.api import plan as run
    from mm_ckpt_migrate.convert.options import Options

    refuse_idle(no_build, "where no model is built", *_OF_BUILDS)
    refuse_idle(plan_file is None, "without --plan", "force")
    options = Options(
        build=not no_build,
        force=force,
        force_family=force_family,
        plan_file=plan_file,
        check_crc=not no_crc,
        keep_opaque=keep_opaque,
        allow_imports=tuple(allow_import or ()),
        allow_unconfined=allow_unconfined,
        cache=not no_cache,
        rules=tuple(rules or ()),
    )
    table, report = run(family, cfg, old, options)
    if as_json:
        print_json(report.to_json() | {"plan": table.to_json() if table else None})
        return report.exit_code
    if table is not None:
        print_plan(table)
    print_report(report, "Plan for")
    return report.exit_code
