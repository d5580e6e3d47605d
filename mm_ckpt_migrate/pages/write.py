"""`verify --report DIR`: the library function that writes it."""

from __future__ import annotations

from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from mm_ckpt_migrate.errors import MissingSoftwareError
from mm_ckpt_migrate.files.archive.folders import make_folder
from mm_ckpt_migrate.files.archive.leftovers import sweep
from mm_ckpt_migrate.files.archive.outputs import Output
from mm_ckpt_migrate.files.archive.publish import as_destination_error, publish_bytes
from mm_ckpt_migrate.files.archive.published import all_or_none
from mm_ckpt_migrate.pages.asjson import json_text
from mm_ckpt_migrate.pages.data import ReportData
from mm_ckpt_migrate.pages.page import render
from mm_ckpt_migrate.pages.pictures import Picture, show_sample


def check_software(*needed: str) -> None:
    """Ask before hours of work whether a report can be written at all.

    Args:
        needed: Jinja2, Pillow; without any, both.

    Raises:
        MissingSoftwareError: one of them is not installed.
    """
    missing = [name for name in needed or _MODULES if find_spec(_MODULES[name]) is None]
    if missing:
        raise MissingSoftwareError(
            f"the report needs {' and '.join(missing)}", hint="Type: pip install 'mm-ckpt-migrate[report]'"
        )


JSON: Final = "report.json"
HTML: Final = "report.html"
_TOOL: Final = b"mm-ckpt-migrate"
# What a page begins with; words about this program may stand in anybody's file.
_HEADS: Final = {
    JSON: b'{\n  "report": ',
    HTML: b'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    b'<meta http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;; ',
}
_MAX_BYTES: Final = 256 << 20
_MODULES: Final = {"Jinja2": "jinja2", "Pillow": "PIL"}


def pages_of(folder: Path) -> list[Output]:
    """The pages in a folder, of which those of an earlier run may be replaced."""
    kind = "a page of an earlier report"
    return [
        Output(
            option="--report", path=folder / name, force=True, kind=kind, is_kind=is_page, makes_folder=True
        )
        for name in (JSON, HTML)
    ]


def is_page(path: Path) -> bool:
    """Whether a file is a page, or the same as JSON, that this program made."""
    with suppress(OSError), path.open("rb") as file:
        content = file.read(_MAX_BYTES)
        return content.startswith(_HEADS[path.name]) and _TOOL in content
    return False


def write_report(folder: Path, data: ReportData) -> tuple[Path, Path]:
    """Write `report.json` and `report.html` into `folder`; those of an earlier run are replaced.

    A sample whose files cannot be read is left out, and a notice says so.

    Raises:
        MissingSoftwareError: Jinja2 or Pillow is not installed.
        DestinationError: the folder or a file cannot be written.
    """
    check_software()
    pictures, notices = _pictures(data)
    texts = {
        folder / JSON: json_text(data, pictures, notices),
        folder / HTML: render(data, pictures, notices),
    }
    try:
        make_folder(folder)
    except OSError as error:
        raise as_destination_error(folder, error) from None
    sweep(folder)
    with all_or_none():
        for path, text in texts.items():
            publish_bytes(path, text.encode(), force=True)
    json_path, html_path = texts
    return json_path, html_path


def _pictures(data: ReportData) -> tuple[list[Picture], list[str]]:
    pictures, notices = [], []
    for sample in () if data.metric is None else data.metric.samples:
        assert data.metric is not None
        try:
            pictures.append(show_sample(sample, data.metric))
        except (OSError, ValueError) as error:
            notices.append(f"the sample {sample.name} cannot be shown: {error}")
    return pictures, notices
