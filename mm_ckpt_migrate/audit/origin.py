"""Identify the contents of a zoo's file by what older releases said of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from mm_ckpt_migrate.audit.release import Release
from mm_ckpt_migrate.identify.layouts.weights import zoo_files
from mm_ckpt_migrate.schema import Schema


@dataclass(frozen=True, slots=True)
class Origin:
    """What a file holds, and how that is known.

    Attributes:
        layouts: the numbers of the layouts that it has.
    """

    schema: Schema
    layouts: tuple[int, ...]
    known_by: str


def origin_of(file: str, release: Release) -> Origin | None:
    """What a file was published with, before a release; None where that is not certain.

    The config that the file is called after decides. Where there is none, all older metafiles that
    name the file must agree, because a few of them name the file of another model.
    """
    found = zoo_files().get(file)
    if found is None:
        return None
    named = [(old, found.configs[old]) for old in release.older if old in found.configs]
    own = [pair for pair in named if file.startswith(f"{PurePosixPath(pair[1]).stem}_")]
    said = own or named
    layouts = {release.table.releases[old].get(config) for old, config in said}
    if len(layouts) != 1 or None in layouts:
        return None
    old, config = said[0]
    layout = release.table.releases[old][config]
    return Origin(release.table.schema(layout), (layout,), f"{old} names it for {config}, which builds that")
