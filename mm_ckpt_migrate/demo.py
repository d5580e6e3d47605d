"""`demo`: convert the genuine old checkpoints that travel with the package, and prove it."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from mm_ckpt_migrate.convert.options import Options
from mm_ckpt_migrate.convert.run import migrate
from mm_ckpt_migrate.convert.target_config import open_target, read_target_config
from mm_ckpt_migrate.errors import CheckpointError
from mm_ckpt_migrate.files.archive.progress import no_progress
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.open import read_schema
from mm_ckpt_migrate.mapping.rules.library import Library, family_named, load_rules
from mm_ckpt_migrate.releases.current.resolve import Target
from mm_ckpt_migrate.resources import resource_folder
from mm_ckpt_migrate.verdicts import ConvertReport, Rung, Verdict
from mm_ckpt_migrate.verify.forward import check_record, control_names


@dataclass(frozen=True, slots=True)
class Case:
    """A genuine old checkpoint, the current release's config, and the old release's outputs."""

    name: str
    family: str
    checkpoint: Path
    config: Path
    record: Path


def cases() -> list[Case]:
    """The bundled cases; raises CheckpointError where they are missing."""
    folder = resource_folder("golden", "tests/golden")
    if folder is None:
        raise CheckpointError("golden", "the bundled checkpoints are missing", hint="Install again.")
    return [_case(path.parent) for path in sorted(folder.glob("*/case.json"))]


def _case(folder: Path) -> Case:
    facts = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    return Case(
        folder.name,
        facts["family"],
        folder / facts["checkpoint"],
        folder / "new_config.py",
        folder / "reference.npz",
    )


def demonstrate(folder: Path, *, build: bool = True) -> Iterator[ConvertReport]:
    """Convert every case into `folder`; with the OpenMMLab stack, climb up to the forward rung.

    Raises:
        MissingSoftwareError: the stack is not there; `build=False` does without it.
    """
    library = load_rules()
    options = Options(build=build, cache=False)
    started: deque[tuple[Case, Target | None]] = deque()
    with ExitStack() as stack:
        # Each target is a child process: the next one builds while this one is at work.
        for case in [*cases(), None]:
            if case is not None:
                target = stack.enter_context(_target(case, library, options)) if build else None
                started.append((case, target))
            if len(started) > 1 or case is None:
                yield _convert(*started.popleft(), folder, library, options)


def _target(case: Case, library: Library, options: Options) -> Target:
    config = read_target_config(str(case.config), None, library.families)
    return open_target(config, options)


def _convert(
    case: Case, target: Target | None, folder: Path, library: Library, options: Options
) -> ConvertReport:
    new = folder / f"{case.name}.pth"
    with target or nullcontext():
        with Source(case.checkpoint) as source:
            report = migrate(
                source, case.family, str(case.config), new, options, progress=no_progress, target=target
            )
        report = replace(report, source=f"{case.name}/{case.checkpoint.name}", destination=new.name)
        if target is None:
            return report
        rules = family_named(library.families, case.family)
        control = control_names(read_schema(case.checkpoint), rules)
        return _with(report, check_record(target, new, case.record, control, rules.last.mistake))


def _with(report: ConvertReport, verdict: Verdict) -> ConvertReport:
    verdicts = tuple(verdict if v.rung is Rung.FORWARD else v for v in report.verdicts)
    return replace(report, verdicts=verdicts)
