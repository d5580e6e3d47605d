"""Reports as a person reads them.

The report of `convert` is plain lines: Rich takes 40 ms to import, and is left to the tables.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Final

import typer

from mm_ckpt_migrate.mapping.plan import Plan
from mm_ckpt_migrate.names import fold, safe_text
from mm_ckpt_migrate.verdicts import ConvertReport, Status, Verdict

_COLOURS: Final = {Status.PASS: "green", Status.FAIL: "red", Status.SKIPPED: "yellow"}
_MAX_LINES: Final = 20
_MAX_WIDTH: Final = 10_000


def print_report(report: ConvertReport, verb: str) -> None:
    typer.secho(safe_line(_headline(report, verb)), bold=True)
    if report.plan_digest:
        print_ladder(report.verdicts)
    for notice in report.notices:
        typer.secho(safe_line(f"Note: {notice}."), fg="yellow")


def print_outcome(report: ConvertReport) -> None:
    """The report of one of many: what passed in one line, and whatever did not."""
    if report.exit_code:
        print_report(report, "Converted")
        return
    typer.secho(safe_line(_headline(report, "Converted")), bold=True)
    passed = [v for v in report.verdicts if v.status is Status.PASS]
    names = ", ".join(verdict.rung.value for verdict in passed)
    typer.echo(f"  {typer.style('pass', fg=_COLOURS[Status.PASS])}  {names}")
    typer.echo(f"        {safe_line(passed[-1].summary)}")


def safe_line(text: str) -> str:
    """A line as a terminal may have it: file names, configs and stamps are anybody's."""
    return safe_text(text, _MAX_WIDTH)


def _headline(report: ConvertReport, verb: str) -> str:
    if not report.plan_digest:
        return f"{report.source}: {report.family}, nothing to do"
    counts = f"{report.moved} names change, {report.kept} stay"
    if report.dropped:
        counts += f", {report.dropped} are dropped"
    to = f" -> {report.destination}" if report.destination else ""
    return f"{verb} {report.source}{to} ({report.family}: {counts})"


def print_ladder(verdicts: Iterable[Verdict]) -> None:
    """The ladder of proof: one line per rung, and the details of what failed."""
    for verdict in verdicts:
        status = typer.style(f"{verdict.status.value:<7}", fg=_COLOURS[verdict.status])
        typer.echo(f"  {verdict.rung.value:<9}  {status}  {safe_line(verdict.summary)}")
        for line in verdict.details[:_MAX_LINES]:
            typer.echo(f"{'':22}{safe_line(line)}")
        if len(verdict.details) > _MAX_LINES:
            more = len(verdict.details) - _MAX_LINES
            typer.echo(f"{'':22}and {more} more; --json lists all")


def print_plan(plan: Plan) -> None:
    """Each rule with the names that it changes, folded over the layers."""
    for number, rule in enumerate(plan.rules):
        moves = [m for m in plan.moves if m.rule == number]
        if not moves:
            continue
        typer.secho(safe_line(rule), bold=True)
        for line in fold(f"{m.source} -> {m.target or '(dropped)'}" for m in moves):
            typer.echo(f"  {safe_line(line)}")


def print_facts(facts: Mapping[str, str]) -> None:
    """Two columns: what, and its value. Nothing in a file's text is ever read as markup."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False, pad_edge=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, Text(value))
    Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else 160).print(table)
