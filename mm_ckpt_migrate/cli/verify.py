"""`verify`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from mm_ckpt_migrate.cli import arguments as args
from mm_ckpt_migrate.cli.boundary import command, show_error
from mm_ckpt_migrate.cli.usage import finite, refuse_idle
from mm_ckpt_migrate.convert.options import EMBEDDED
from mm_ckpt_migrate.errors import ExitCode, MigrateError
from mm_ckpt_migrate.files.archive.privacy import as_private_as
from mm_ckpt_migrate.verdicts import Rung

if TYPE_CHECKING:
    from mm_ckpt_migrate.files.archive.outputs import Output
    from mm_ckpt_migrate.verify.result import Verification

_FILE = "FILE"


@command
def verify(
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The migrated file.")],
    cfg: Annotated[
        str, typer.Option("--cfg", metavar="CFG", help="The target config, as for convert.")
    ] = EMBEDDED,
    source: Annotated[Path | None, typer.Option("--source", metavar="OLD", help="The old file.")] = None,
    legacy: Annotated[
        str, typer.Option("--legacy", help="The old release: auto, none, or one of `legacy list`.")
    ] = "auto",
    legacy_python: args.LegacyPythonOption = None,
    reference: Annotated[
        Path | None, typer.Option("--reference", metavar=_FILE, help="Outputs of the old release, recorded.")
    ] = None,
    record: Annotated[
        Path | None, typer.Option("--record", metavar=_FILE, help="Record the old release's outputs there.")
    ] = None,
    evaluate: Annotated[bool, typer.Option("--eval", help="Evaluate on the config's own test set.")] = False,
    data_root: args.DataRootOption = None,
    device: args.DeviceOption = "cpu",
    workers: Annotated[
        int | None, typer.Option("--workers", min=0, help="With --launcher: processes that load, for each.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="The first N images only.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            help="What to hold the metric against: legacy (the old release evaluates, too; the "
            "default where it is at hand), zoo, or a recorded FILE.",
        ),
    ] = None,
    record_metric: Annotated[
        Path | None, typer.Option("--record-metric", metavar=_FILE, help="Record the metric for --against.")
    ] = None,
    expected: Annotated[
        float | None, typer.Option("--expect", metavar="MIOU", help="The old file's mIoU.", callback=finite)
    ] = None,
    tolerance: Annotated[
        float, typer.Option("--tolerance", min=0.0, help="Of mIoU.", callback=finite)
    ] = 0.01,
    require: Annotated[
        str | None, typer.Option("--require", metavar="RUNGS", help="Rungs that must not be skipped: a,b.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="DIR", help="Write a report page there.")
    ] = None,
    budget: Annotated[
        float,
        typer.Option(
            "--budget", min=0.0, help="Seconds to look for tensors that no output sees.", callback=finite
        ),
    ] = 60.0,
    launcher: Annotated[
        str, typer.Option("--launcher", help="none, pytorch (under torchrun), or slurm.")
    ] = "none",
    allow_import: args.AllowImportOption = None,
    allow_unconfined: args.AllowUnconfinedOption = False,
    rules: args.RulesOption = None,
    no_cache: args.NoCacheOption = False,
    force: Annotated[bool, typer.Option("--force", help="Replace recorded files.")] = False,
    as_json: args.JsonOption = False,
) -> int:
    """Show why to trust a migrated file: climb the ladder of proof as far as can be.

    Everything that is given is used: the old file, an old release, a data set.
    """
    from mm_ckpt_migrate.cli.verify_usage import check_usage, rank_of
    from mm_ckpt_migrate.convert.beside import config_inputs
    from mm_ckpt_migrate.verify.options import VerifyOptions
    from mm_ckpt_migrate.verify.run import verify as run

    _refuse_idle(records=record is not None or record_metric is not None, legacy=legacy)
    options = VerifyOptions(
        source=source,
        legacy=None if legacy == "none" else legacy,
        legacy_python=legacy_python,
        reference=reference,
        record=record,
        evaluate=evaluate,
        data_root=data_root,
        device=device,
        workers=workers,
        limit=limit,
        against_legacy=_AGAINST.get(against, False),
        recorded=None if against in _AGAINST else Path(str(against)),
        record_metric=record_metric,
        expected=expected,
        tolerance=tolerance,
        samples=_SAMPLES if report else 0,
        launcher=launcher,
        budget=budget,
        required=_rungs(require),
        allow_imports=tuple(allow_import or ()),
        allow_unconfined=allow_unconfined,
        cache=not no_cache,
        rules=tuple(rules or ()),
        force=force,
        pages=_pages(report),
    )
    check_usage(options, cfg, against)
    first = rank_of(launcher) == 0
    faults: list[MigrateError] = []
    with as_private_as((new, source, *config_inputs(cfg))), _evaluating() as progress:
        write = _writer(report, faults) if first else None
        found = run(new, cfg, options, progress=progress, report=write)
    return _said(found, report, faults, as_json) if first else found.exit_code


def _refuse_idle(*, records: bool, legacy: str) -> None:
    refuse_idle(not records, "without a file to record", "force")
    refuse_idle(legacy == "none", "with --legacy none", "record")


def _said(found: Verification, report: Path | None, faults: list[MigrateError], as_json: bool) -> int:
    """Show the result, and give the exit code."""
    from mm_ckpt_migrate.cli.asjson import print_json

    # The verdicts are shown all the same, and the first failed rung is still what it ends with.
    code = found.exit_code or next((error.exit_code for error in faults), ExitCode.OK)
    if as_json:
        said = {"error": e.message, "hint": e.hint} if (e := next(iter(faults), None)) else {}
        print_json(found.to_json() | said | {"exit_code": int(code)})
        return code
    _print(found, None if faults else report)
    for error in faults:
        show_error(error.message, error.hint, code, as_json=False)
    return code


_SAMPLES = 4
# Whether the old release evaluates, too; anything else is a recorded result.
_AGAINST: Final[dict[str | None, bool | None]] = {None: None, "legacy": True, "zoo": False}


def _pages(folder: Path | None) -> tuple[Output, ...]:
    """The pages of a report, once what makes them is known to be installed."""
    if folder is None:
        return ()
    from mm_ckpt_migrate.pages.write import check_software, pages_of

    check_software()
    return tuple(pages_of(folder))


def _rungs(text: str | None) -> tuple[Rung, ...]:
    try:
        return tuple(Rung(name.strip()) for name in (text or "").split(",") if name.strip())
    except ValueError:
        known = ", ".join(rung.value for rung in Rung)
        raise typer.BadParameter(f"--require takes rungs: {known}") from None


def _writer(folder: Path | None, faults: list[MigrateError]) -> Callable[[Verification], None] | None:
    if folder is None:
        return None

    def write(found: Verification) -> None:
        from mm_ckpt_migrate.pages.from_verification import report_data
        from mm_ckpt_migrate.pages.write import write_report

        try:
            write_report(folder, report_data(found, ("mm-ckpt-migrate", *sys.argv[1:])))
        except MigrateError as error:
            faults.append(error)

    return write


def _print(found: Verification, report: Path | None) -> None:
    from mm_ckpt_migrate.cli.render import print_ladder, safe_line

    typer.secho(safe_line(f"{found.file} ({found.family})"), bold=True)
    print_ladder(found.verdicts)
    for rung in found.missing:
        typer.secho(f"{rung.value} is required, and was skipped.", fg="red")
    if found.fault is not None:
        typer.secho(safe_line(f"Error: {found.fault.message}"), fg="red", err=True)
    for notice in found.notices:
        typer.secho(safe_line(f"Note: {notice}."), fg="yellow")
    if report is not None:
        typer.echo(safe_line(f"Report: {report / 'report.html'}"))


@contextmanager
def _evaluating() -> Iterator[Callable[[str, Mapping[str, Any]], None]]:
    """A bar on stderr with images per second and the time left, where somebody watches."""
    if not sys.stderr.isatty():
        yield lambda _name, _event: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]:.1f} images/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def progress(name: str, event: Mapping[str, Any]) -> None:
            speed = float(event["images_per_second"])
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=event["of"], speed=speed)
            bars.update(tasks[name], completed=event["done"], speed=speed)

        yield progress
