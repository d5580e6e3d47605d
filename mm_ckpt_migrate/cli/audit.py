"""`audit`."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mm_ckpt_migrate.cli import arguments as args
from mm_ckpt_migrate.cli.boundary import command
from mm_ckpt_migrate.errors import ExitCode

if TYPE_CHECKING:
    from mm_ckpt_migrate.audit.finding import Audit, Finding

_COLOURS = {"error": "red", "warning": "yellow"}


@command
def audit(
    zoo: Annotated[
        Path,
        typer.Argument(
            metavar="ZOO",
            help="A folder with model-index.yml, metafiles and configs: a checkout of mmdet or "
            "mmseg, or the installed package.",
        ),
    ],
    weights: Annotated[
        Path | None, typer.Option("--weights", metavar="DIR", help="The zoo's files of weights, or some.")
    ] = None,
    release: Annotated[
        str | None,
        typer.Option("--release", metavar="NAME", help="What the zoo is of, such as mmdet-3.3.0; else told."),
    ] = None,
    as_json: args.JsonOption = False,
) -> int:
    """Check a model zoo, without changing it or building a model; 17 where there are findings."""
    from mm_ckpt_migrate.audit.release import is_release
    from mm_ckpt_migrate.audit.run import audit
    from mm_ckpt_migrate.cli.asjson import print_json
    from mm_ckpt_migrate.mapping.rules.library import load_rules

    if release is not None and not is_release(release):
        raise typer.BadParameter("give it like mmdet-3.3.0 or mmsegmentation-1.2.2")
    found = audit(zoo, load_rules(), weights=weights, release=release)
    if as_json:
        print_json(found.to_json())
    else:
        _show(found)
    return ExitCode.FINDINGS if found.findings else ExitCode.OK


def _show(found: Audit) -> None:
    """Findings by check."""
    for check, group in groupby(found.findings, key=lambda finding: finding.check):
        findings = list(group)
        colour = _COLOURS[check.severity.value]
        head = f"{check.label} ({check.severity.value}): {check.title}, {len(findings)}"
        typer.secho(head, fg=colour, bold=True)
        for finding in findings:
            _show_finding(finding)
    _say(_summary(found))
    for note in found.notes:
        _say(f"Note: {note}.")


def _show_finding(finding: Finding) -> None:
    head = f"{finding.entry} ({finding.place})" if finding.entry else finding.place
    _say(f"  {head}")
    _say(f"    {finding.sentence}")
    for line in finding.evidence:
        _say(f"      {line}")


def _summary(found: Audit) -> str:
    of = f" of {found.release}" if found.release else ""
    files = f", {found.opened} files opened" if found.opened else ""
    count = f"{len(found.findings)} findings" if found.findings else "nothing found"
    looked = f"{found.entries} entries{of}, {found.judged} layouts compared{files}"
    return f"{found.root}: {looked}: {count}"


def _say(text: str) -> None:
    from mm_ckpt_migrate.cli.render import safe_line

    typer.echo(safe_line(text))
