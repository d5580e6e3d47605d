"""`batch.html`: every input of a batch on one page, made from its `batch.json`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mm_ckpt_migrate.batch.item import Status
from mm_ckpt_migrate.batch.prove import REPORT_SUFFIX
from mm_ckpt_migrate.files.archive.publish import publish_bytes
from mm_ckpt_migrate.pages import batch_views as views
from mm_ckpt_migrate.pages.ladder import PROVES
from mm_ckpt_migrate.pages.shell import render_page
from mm_ckpt_migrate.pages.write import check_software


def write_batch_page(path: Path, data: Mapping[str, Any]) -> None:
    """Write the page of what `batch.json` says; that of an earlier run is replaced.

    A result whose page was made by `verify --report RESULT.report` is linked to it.

    Args:
        path: in the folder of the results, as the links are relative.
        data: as `Result.to_json()` gives it, or read from a `batch.json`.

    Raises:
        MissingSoftwareError: Jinja2 is not installed.
        DestinationError: the file cannot be written.
    """
    check_software("Jinja2")
    made = (entry["outcome"]["destination"] for entry in data["entries"])
    # `os.path`: a name may be too long with the suffix, and then there is no page.
    pages = [name for name in made if name and os.path.isfile(path.parent / views.page_path(name))]
    text = render_batch(data, pages, path.with_suffix(".json").name)
    publish_bytes(path, text.encode(), force=True)


def render_batch(data: Mapping[str, Any], pages: Iterable[str] = (), beside: str = "batch.json") -> str:
    """The page as text. Equal data give equal text.

    Args:
        pages: results that have a page of their own, by their paths.
        beside: the name of the file with the same as JSON.
    """
    entries = views.entries_of(data, pages)
    families = views.by_family(entries)
    kind, sentence = views.conclusion(entries)
    context = {
        "entries": entries,
        "all": views.total("all", entries),
        "statuses": views.by_status(entries),
        "families": families,
        # Names are anybody's text; a number is the same on both sides of a choice.
        "numbers": {family.name: n for n, family in enumerate(families)},
        "rungs": views.by_rung(entries),
        "checked": sum(bool(entry.proofs) for entry in entries),
        "names": [status.value for status in Status],
        "proves": PROVES,
        "overall": kind,
        "sentence": sentence,
        "beside": beside,
        "suffix": REPORT_SUFFIX,
    }
    return render_page("batch", context)
