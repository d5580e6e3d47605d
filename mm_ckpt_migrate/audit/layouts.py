"""Compare a file's contents with what the entry's config builds in the zoo's release."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Final

from mm_ckpt_migrate.audit.finding import Check, Finding, about
from mm_ckpt_migrate.audit.origin import Origin, origin_of
from mm_ckpt_migrate.audit.release import Release
from mm_ckpt_migrate.configs.read.config import read_config
from mm_ckpt_migrate.configs.values import lookup
from mm_ckpt_migrate.errors import ConfigError
from mm_ckpt_migrate.identify.diagnosis.advice import released
from mm_ckpt_migrate.identify.diagnosis.candidates import Candidate, make_candidates
from mm_ckpt_migrate.identify.layouts.difference import Difference, difference
from mm_ckpt_migrate.mapping.rules.detect import Layout, detect
from mm_ckpt_migrate.schema import Schema
from mm_ckpt_migrate.zoo.entries import entries
from mm_ckpt_migrate.zoo.metafile import ZooModel
from mm_ckpt_migrate.zoo.read import Zoo

_COUNTER: Final = ".num_batches_tracked"
_SHOWN: Final = 3


def comparable(
    zoo: Zoo, release: Release, opened: Mapping[str, Origin]
) -> Iterator[tuple[ZooModel, Origin, int]]:
    """Every entry of which both are known: what its file holds, and what its config builds.

    Args:
        opened: what files that are at hand hold, by their names.
    """
    for model in zoo.models:
        if model.file is None or model.config is None:
            continue
        layout = release.layout(model.config)
        origin = opened.get(model.file) or origin_of(model.file, release)
        if layout is not None and origin is not None:
            yield model, origin, layout


def check_layout(zoo: Zoo, model: ZooModel, origin: Origin, layout: int, release: Release) -> Finding | None:
    """What is wrong where a file meets a config's layout; None where it loads."""
    if layout in origin.layouts or any(map(release.renames, origin.layouts)):
        return None
    want = release.table.schema(layout)
    gap = _without_counters(difference(origin.schema, want))
    if not gap:
        return None
    candidate = _migration(origin.schema, want, release)
    evidence = (origin.known_by, *_replaced(model), *_few(gap.lines()))
    if candidate is not None and candidate.plan.renamed:
        return about(model, Check.OLD, _of_old(model, candidate, release), evidence)
    if candidate is not None and _provided(zoo, model, candidate):
        return None
    if gap.missing or gap.reshaped:
        return about(model, Check.OTHER, _of_other(model, gap), evidence)
    return about(model, Check.DROPPED, _of_dropped(model, gap, candidate), evidence)


def _of_old(model: ZooModel, candidate: Candidate, release: Release) -> str:
    config = PurePosixPath(model.config or "").stem
    command = f"`mm-ckpt-migrate convert {candidate.rules.family} {config} OLD NEW`"
    fact = f"{model.file} has names that {released(release.name)} does not load"
    return f"{fact}; {command} migrates it"


def _of_other(model: ZooModel, gap: Difference) -> str:
    missing, unexpected, reshaped = map(len, (gap.missing, gap.unexpected, gap.reshaped))
    counts = f"{missing} keys missing, {unexpected} without a place, {reshaped} of another shape"
    return f"the config builds another model than {model.file} holds: {counts}"


def _of_dropped(model: ZooModel, gap: Difference, candidate: Candidate | None) -> str:
    count = len(gap.unexpected)
    lost = "1 tensor has" if count == 1 else f"{count} tensors have"
    text = f"{lost} no place in what the config builds, and mmengine drops them: {model.file}"
    needs = candidate.settings if candidate else {}
    settings = ", ".join(f"{path}={value}" for path, value in needs.items())
    return f"{text}; the config needs {settings}" if settings else text


def _provided(zoo: Zoo, model: ZooModel, candidate: Candidate) -> bool:
    """Whether the zoo's own config has the settings that its release's had not."""
    path = zoo.path(model.config or "")
    if not candidate.settings or path is None:
        return False
    try:
        config = read_config(path)
    except ConfigError:
        return False
    return all(lookup(config, name) == value for name, value in candidate.settings.items())


def _migration(have: Schema, want: Schema, release: Release) -> Candidate | None:
    """The rules that lead from what a file holds to what a config builds."""
    found = detect(have.names, release.families)
    families = [detection.rules for detection in found if detection.layout is Layout.OLD]
    candidates, _ = make_candidates(have, families)
    return next((c for c in candidates if not _without_counters(c.gap(want))), None)


def _without_counters(gap: Difference) -> Difference:
    """Batch norm's counters are not trained, and very old files lack them."""
    missing = tuple(name for name in gap.missing if not name.endswith(_COUNTER))
    unexpected = tuple(name for name in gap.unexpected if not name.endswith(_COUNTER))
    return replace(gap, missing=missing, unexpected=unexpected)


def _replaced(model: ZooModel) -> Iterator[str]:
    for entry in entries():
        if entry.old_file == model.file:
            how = "trained anew" if entry.retrained else "the same weights"
            yield f"it was replaced by {entry.new_file} ({how})"


def _few(lines: Sequence[str]) -> tuple[str, ...]:
    more = (f"and {len(lines) - _SHOWN} more",) if len(lines) > _SHOWN else ()
    return (*lines[:_SHOWN], *more)
