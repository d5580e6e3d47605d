"""The program. Commands import what they need inside their bodies, so that --help stays fast."""

from __future__ import annotations

import gc
import os
from typing import Annotated

import typer

from mm_ckpt_migrate import __version__
from mm_ckpt_migrate.cli import (
    audit,
    batch,
    checks,
    convert,
    derive,
    inspect,
    legacy,
    migrate_config,
    rules,
    streams,
    usage,
    verify,
)

_EPILOG = (
    "Exit codes: 0 done or nothing to do; 2 usage; 3 bad checkpoint; 4 bad rules or plan; 5 family "
    "refused; 6 bad config or target; 7 destination; 8 software missing; 9 config "
    "needs changes (--check); 10 integrity, 11 keys, 12 roles, 13 forward, 14 resume, 15 metric "
    "failed; 16 some files of a batch were left out; 17 `audit` has findings; 130 interrupted."
)

app = typer.Typer(
    name="mm-ckpt-migrate",
    cls=usage.Group,
    help="Migrate old OpenMMLab checkpoints to the current release, with proof.",
    epilog=_EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(convert.convert)
app.command()(convert.plan)
app.command()(batch.batch)
app.command()(verify.verify)
app.command()(migrate_config.migrate_config)
app.command()(inspect.inspect)
app.command()(audit.audit)
app.command()(derive.derive)
app.add_typer(rules.app, name="rules")
app.add_typer(legacy.app, name="legacy")
app.command()(checks.doctor)
app.command()(checks.demo)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mm-ckpt-migrate {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    """Migrate old OpenMMLab checkpoints to the current release, with proof."""


def run() -> None:
    """The console script."""
    # A checkpoint's nodes are made by the ten thousand and die together: looking for cycles
    # among them while they are made takes a third of the time, and finds none.
    gc.set_threshold(100_000, 50, 50)
    streams.guard()
    try:
        app()
    except SystemExit as end:
        _leave(end.code)


def _leave(code: object) -> None:
    """End at once: to take a hundred thousand nodes apart, one by one, serves nobody."""
    streams.settle()
    os._exit(code if isinstance(code, int) else bool(code))
