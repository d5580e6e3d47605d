"""The page: one file that asks for nothing else, and may not."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from mm_ckpt_migrate.names import fold
from mm_ckpt_migrate.pages import ladder, views
from mm_ckpt_migrate.pages.data import ReportData
from mm_ckpt_migrate.pages.pictures import Picture
from mm_ckpt_migrate.pages.scatter import SIDE, scatter
from mm_ckpt_migrate.pages.shell import render_page


def render(data: ReportData, pictures: Sequence[Picture], notices: Sequence[str] = ()) -> str:
    """The page as text. Equal data give equal text."""
    notices = [*data.notices, *notices]
    return render_page("report", {**_context(data, pictures), "notices": notices})


def _context(data: ReportData, pictures: Sequence[Picture]) -> dict[str, Any]:
    rungs = ladder.six_rungs(data.verdicts)
    forward, metric = data.forward, data.metric
    return {
        "data": data,
        "title": PurePath(data.file).name or data.file,
        "rungs": rungs,
        "status": {verdict.rung.value: verdict.status.value for verdict in rungs},
        "lacking": ladder.lacking(rungs, data.required),
        "proves": ladder.PROVES,
        "overall": ladder.overall(rungs, data.required),
        "sentence": ladder.sentence(rungs, data.required),
        "tiles": views.tiles(data),
        "versions": views.version_rows(data),
        "renamed": sum(line.count for line in data.renames),
        "outputs": [] if forward is None else views.output_rows(forward),
        "checks": [] if forward is None else views.checks(forward),
        "unseen": [] if forward is None else fold(forward.unseen),
        "untried": [] if forward is None else fold(forward.untried),
        "plot": None if forward is None else scatter(forward.scatter),
        "side": SIDE,
        "metrics": [] if metric is None else views.metric_rows(metric),
        "classes": (classes := [] if metric is None else views.class_rows(metric)),
        "differing": views.differing_classes(classes),
        "pictures": pictures,
        "command": _command_lines(data.command),
    }


def _command_lines(command: Sequence[str]) -> list[str]:
    """A shell command with a line for each option, as hyphens break badly."""
    lines: list[list[str]] = []
    for argument in command:
        if argument.startswith("--") or not lines:
            lines.append([])
        lines[-1].append(argument)
    return [shlex.join(line) for line in lines]
