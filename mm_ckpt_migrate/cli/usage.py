"""Usage errors: as JSON where `--json` was typed, and of options that would have no effect."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any, Final

import typer
from typer import core

from mm_ckpt_migrate.cli.asjson import print_error
from mm_ckpt_migrate.errors import ExitCode

# Typer brings click along under another name since 0.25; before, it was a package of its own.
_CLICK: Final = vars(core).get("_click") or vars(core)["click"]
_JSON: Final = "--json"


class Group(core.TyperGroup):
    """A group of commands whose usage errors are JSON where the results are."""

    def main(self, args: Sequence[str] | None = None, *more: Any, **rest: Any) -> Any:
        words = list(sys.argv[1:] if args is None else args)
        if _JSON not in words:
            return super().main(words, *more, **rest)
        try:
            sys.exit(super().main(words, *more, **{**rest, "standalone_mode": False}))
        except _CLICK.exceptions.ClickException as error:
            hint = _usage(error) if isinstance(error, _CLICK.exceptions.UsageError) else ""
            print_error(error.format_message(), hint, ExitCode.USAGE)
            sys.exit(ExitCode.USAGE)


def _usage(error: Any) -> str:
    """Where to find what is right."""
    return f"{error.ctx.command_path} --help" if error.ctx is not None else ""


def finite(value: float | None) -> float | None:
    """Refuse what no number compares with; raises typer.BadParameter."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is no number that anything can be held against")
    return value


def refuse_idle(useless: bool, why: str, *options: str) -> None:
    """Refuse options that would have no effect, where they were typed.

    Args:
        useless: whether they would have none.
        why: the rest of the sentence that says so.
        options: names of the command's parameters.

    Raises:
        typer.BadParameter: one of them was typed.
    """
    if not useless:
        return
    context = _CLICK.globals.get_current_context()
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name)
        if parameter.name in options and source is not None and source.name == "COMMANDLINE":
            raise typer.BadParameter(f"{parameter.opts[-1]} has no effect {why}")
