"""The report as JSON, for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from mm_ckpt_migrate.errors import ExitCode
from mm_ckpt_migrate.pages.data import ReportData
from mm_ckpt_migrate.pages.ladder import lacking, sentence, six_rungs
from mm_ckpt_migrate.pages.pictures import Picture
from mm_ckpt_migrate.verdicts import exit_code, rung_code, strict

REPORT_FORMAT: Final = 1


def to_json(data: ReportData, pictures: Sequence[Picture], notices: Sequence[str] = ()) -> dict[str, Any]:
    """The report as values that JSON has.

    JSON has no NaN and no infinity: they are the texts "NaN", "Infinity" and "-Infinity", which
    `float()` reads. Of the samples it has the numbers; the files may be gone when this is read.
    """
    found: dict[str, Any] = asdict(data)
    found["notices"] = [*data.notices, *notices]
    found["verdicts"] = [asdict(verdict) for verdict in six_rungs(data.verdicts)]
    if data.metric is not None:
        found["metric"]["samples"] = [
            {"name": p.name, "pixels": p.pixels, "differing": p.differing} for p in pictures
        ]
    head = {
        "report": REPORT_FORMAT,
        "verdict": sentence(data.verdicts, data.required),
        "exit_code": int(_exit_code(data)),
    }
    plain: dict[str, Any] = strict(head | found)
    return plain


def json_text(data: ReportData, pictures: Sequence[Picture], notices: Sequence[str] = ()) -> str:
    return json.dumps(to_json(data, pictures, notices), indent=2, allow_nan=False) + "\n"


def _exit_code(data: ReportData) -> ExitCode:
    missing = lacking(data.verdicts, data.required)
    return exit_code(data.verdicts) or next(map(rung_code, missing), ExitCode.OK)
