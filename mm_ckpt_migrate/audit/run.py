"""Audit a zoo: every check, in the order in which findings are shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path

from mm_ckpt_migrate.audit import configs, entries, metrics, names
from mm_ckpt_migrate.audit.files import WeightsFile, check_files, check_same, find_files, open_file
from mm_ckpt_migrate.audit.finding import Audit, Check, Finding
from mm_ckpt_migrate.audit.layouts import check_layout, comparable
from mm_ckpt_migrate.audit.origin import Origin
from mm_ckpt_migrate.audit.release import Release, release_of
from mm_ckpt_migrate.identify.diagnosis.advice import released
from mm_ckpt_migrate.identify.layouts.table import load_table
from mm_ckpt_migrate.mapping.rules.library import Library
from mm_ckpt_migrate.zoo.read import Zoo, read_zoo

_OF_ENTRIES = (
    entries.check_metafiles,
    entries.check_listed,
    entries.check_names,
    entries.check_configs,
    entries.check_shared,
    names.check_names_of_weights,
    configs.check_sources,
    configs.check_depths,
    metrics.check_metrics,
)


def audit(path: Path, library: Library, *, weights: Path | None = None, release: str | None = None) -> Audit:
    """Check a zoo without changing it.

    Args:
        path: the zoo's folder.
        weights: a folder with its files of weights, or with some of them.
        release: such as `mmdet-3.3.0`; as a rule the zoo tells.

    Raises:
        ConfigError: the folder is no zoo, or there is no folder of weights.
    """
    zoo = read_zoo(path)
    name = release or release_of(zoo.root)
    files = _open_files(zoo, weights) if weights else {}
    found = list(chain.from_iterable(check(zoo) for check in _OF_ENTRIES))
    judged, of_layouts = _layouts(zoo, name, library, files)
    found += chain(of_layouts, check_files(zoo.models, files), check_same(files))
    order = list(Check)
    found.sort(key=lambda finding: order.index(finding.check))
    notes = tuple(_notes(zoo, name, judged, files, weights))
    return Audit(
        root=str(zoo.root),
        release=name,
        entries=len(zoo.models),
        judged=judged,
        opened=len(files),
        findings=tuple(found),
        notes=notes,
    )


def _open_files(zoo: Zoo, folder: Path) -> dict[str, WeightsFile]:
    named = {file for model in zoo.models for file in model.files}
    return {name: open_file(p) for name, p in find_files(folder).items() if name in named}


def _layouts(
    zoo: Zoo, name: str | None, library: Library, files: Mapping[str, WeightsFile]
) -> tuple[int, list[Finding]]:
    """How many entries were compared, and what was found."""
    if name is None:
        return 0, []
    release = Release(name, load_table(), library.families)
    opened = _origins(release, files)
    pairs = list(comparable(zoo, release, opened))
    found = (check_layout(zoo, *pair, release) for pair in pairs)
    return len(pairs), [finding for finding in found if finding is not None]


def _origins(release: Release, files: Mapping[str, WeightsFile]) -> dict[str, Origin]:
    found = ((name, file.origin(release.table)) for name, file in files.items())
    return {name: origin for name, origin in found if origin is not None}


def _notes(
    zoo: Zoo, release: str | None, judged: int, files: Mapping[str, WeightsFile], weights: Path | None
) -> Iterator[str]:
    """What was left out."""
    if release is None:
        yield "it is not known which release the zoo is of, so no layout was judged: --release"
    else:
        left = len(zoo.models) - judged
        yield f"of {left} entries, what the file holds or what the config builds is not known"
        yield f"layouts are what the configs that {released(release)} ships build"
    if weights is not None:
        named = {file for model in zoo.models for file in model.files}
        yield f"{len(named) - len(files)} of the {len(named)} files that are named are not there"
