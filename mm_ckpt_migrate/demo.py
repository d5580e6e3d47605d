"""`demo`: convert the genuine old checkpoints that travel with the package, and prove it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from mm_ckpt_migrate.convert.options import Options
from mm_ckpt_migrate.convert.run import migrate
from mm_ckpt_migrate.convert.target_config import open_target, read_target_config
from mm_ckpt_migrate.errors import CheckpointError
from mm_ckpt_migrate.files.archive.progress import no_progress
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.open import read_schema
from mm_ckpt_migrate.mapping.rules.library import family_named, load_rules
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet
from mm_ckpt_migrate.releases.current.resolve import Target
from mm_ckpt_migrate.releases.process import ReleaseProcess
from mm_ckpt_migrate.resources import resource_folder
from mm_ckpt_migrate.verdicts import ConvertReport, Rung, Verdict
from mm_ckpt_migrate.verify.raw_outputs import model_request
from mm_ckpt_migrate.verify.rungs.forward import Recorded, Side, check_forward, control_names

# Small ones, of three families and both containers; pyproject.toml puts them into the wheel.
SHIPPED: Final = ("detr_r18", "mask2former_panoptic_r18", "maskformer_r18")


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
    return [_case(folder / name) for name in SHIPPED]


def _case(folder: Path) -> Case:
    facts = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    return Case(
        name=folder.name,
        family=facts["family"],
        checkpoint=folder / facts["checkpoint"],
        config=folder / "new_config.py",
        record=folder / "reference.npz",
    )


def demonstrate(folder: Path, *, build: bool = True) -> Iterator[ConvertReport]:
    """Convert every case into `folder`; with the OpenMMLab stack, climb up to the forward rung.

    Raises:
        MissingSoftwareError: the stack is not there; `build=False` does without it.
    """
    families, options = load_rules().families, Options(build=build, cache=False)
    if not build:
        for case in cases():
            yield _convert(case, folder, options, None)
        return
    with ExitStack() as stack:
        # All models are built at once, each in a child of its own; one more child runs them.
        opened = [(case, read_target_config(str(case.config), None, families)) for case in cases()]
        targets = [stack.enter_context(open_target(config, options)) for _, config in opened]
        process = stack.enter_context(ReleaseProcess())
        for (case, config), target in zip(opened, targets, strict=True):
            report = _convert(case, folder, options, target)
            target.close()
            side = Side(process, model_request(config.config, case.config), folder / f"{case.name}.pth")
            yield _with(report, forward(case, family_named(families, case.family), side))


def _convert(case: Case, folder: Path, options: Options, target: Target | None) -> ConvertReport:
    new = folder / f"{case.name}.pth"
    with Source(case.checkpoint) as source:
        report = migrate(
            source, case.family, str(case.config), new, options, progress=no_progress, target=target
        )
    return replace(report, source=f"{case.name}/{case.checkpoint.name}", destination=new.name)


def forward(case: Case, rules: RuleSet, side: Side) -> Verdict:
    """Outputs of the new file against the recorded ones, and against those of a wrong mapping."""
    control = control_names(read_schema(case.checkpoint), rules)
    record, mistake = Recorded(case.record), rules.last.mistake
    return check_forward(record, side, control, mistake=mistake, budget=0)[0]


def _with(report: ConvertReport, verdict: Verdict) -> ConvertReport:
    verdicts = tuple(verdict if v.rung is Rung.FORWARD else v for v in report.verdicts)
    return replace(report, verdicts=verdicts)
