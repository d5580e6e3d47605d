"""Reports as a person reads them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mm_ckpt_migrate.keys import fold
from mm_ckpt_migrate.plan import Plan
from mm_ckpt_migrate.report import ConvertReport, Status, Verdict

_STYLES: Final = {Status.PASS: "green", Status.FAIL: "bold red", Status.SKIPPED: "yellow"}
_MAX_LINES: Final = 20


def stdout() -> Console:
    """Results go here. Nothing in a file's text is ever read as markup."""
    width = None if sys.stdout.isatty() else 160
    return Console(markup=False, highlight=False, soft_wrap=False, width=width)


def print_json(data: Any) -> None:
    sys.stdout.write(json.dumps(data, indent=2, default=str) + "\n")


def print_report(console: Console, report: ConvertReport, verb: str) -> None:
    console.print(Text(_headline(report, verb), style="bold"))
    print_ladder(console, report.verdicts)
    for notice in report.notices:
        console.print(Text(f"Note: {notice}.", style="yellow"))


def _headline(report: ConvertReport, verb: str) -> str:
    if not report.plan_digest:
        return f"{report.source}: {report.family}, nothing to do"
    counts = f"{report.moved} names change, {report.kept} stay"
    if report.dropped:
        counts += f", {report.dropped} are dropped"
    to = f" -> {report.destination}" if report.destination else ""
    return f"{verb} {report.source}{to} ({report.family}: {counts})"


def print_ladder(console: Console, verdicts: Iterable[Verdict]) -> None:
    """The ladder of proof: one line per rung, and the details of what failed."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for verdict in verdicts:
        status = Text(verdict.status.value, style=_STYLES[verdict.status])
        table.add_row(f"  {verdict.rung.value}", status, Text(verdict.summary))
        for line in verdict.details[:_MAX_LINES]:
            table.add_row("", "", Text(line, style="dim"))
        if len(verdict.details) > _MAX_LINES:
            more = len(verdict.details) - _MAX_LINES
            table.add_row("", "", Text(f"and {more} more; --json lists all", style="dim"))
    console.print(table)


def print_plan(console: Console, plan: Plan) -> None:
    """Each rule with the names that it changes, folded over the layers."""
    for number, rule in enumerate(plan.rules):
        moves = [m for m in plan.moves if m.rule == number]
        if not moves:
            continue
        console.print(Text(rule, style="bold"))
        lines = fold(f"{m.source} -> {m.target or '(dropped)'}" for m in moves)
        for line in lines:
            console.print(Text(f"  {line}"), soft_wrap=True)


def print_facts(console: Console, facts: Mapping[str, str]) -> None:
    """Two columns: what, and its value."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False, pad_edge=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, Text(value))
    console.print(table)
