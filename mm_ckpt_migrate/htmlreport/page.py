"""The page: one file that asks for nothing else, and may not."""

from __future__ import annotations

import hashlib
import shlex
from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from mm_ckpt_migrate.htmlreport import ladder, numbers, views
from mm_ckpt_migrate.htmlreport.data import ReportData
from mm_ckpt_migrate.htmlreport.pictures import Picture
from mm_ckpt_migrate.htmlreport.scatter import SIDE, scatter
from mm_ckpt_migrate.keys import fold, safe_text

if TYPE_CHECKING:
    from jinja2 import Environment

_MAX_LENGTH: Final = 4096


def render(data: ReportData, pictures: Sequence[Picture], notices: Sequence[str] = ()) -> str:
    """The page as text. Equal data give equal text."""
    environment = _environment()
    style, script = (_source(environment, name) for name in ("report.css", "report.js"))
    return environment.get_template("report.html.j2").render(
        **_context(data, pictures), notices=[*data.notices, *notices],
        style=style, script=script, policy=_policy(style, script),
    )  # fmt: skip


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


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("mm_ckpt_migrate.htmlreport"), autoescape=True, finalize=_shown,
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, auto_reload=False,
    )  # fmt: skip
    environment.filters.update(plain=numbers.plain, share=numbers.share)
    return environment


def _shown(value: object) -> object:
    """Texts come from strangers' files: what cannot be seen, or turns text around, is spelled out.

    Markup is a text of another type and goes through; numbers are formatted already.
    """
    return safe_text(value, _MAX_LENGTH) if type(value) is str else value


def _source(environment: Environment, name: str) -> Any:
    """A file of ours that goes into the page as it is."""
    from markupsafe import Markup

    assert environment.loader is not None
    text, _, _ = environment.loader.get_source(environment, name)
    # A browser reads a line's end as one character; the hashes in the policy have to agree.
    return Markup(text.replace("\r\n", "\n"))  # noqa: S704


def _policy(style: str, script: str) -> str:
    """Nothing may be fetched; our own style and script run, and no other."""
    return (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    )


def _hash(text: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
