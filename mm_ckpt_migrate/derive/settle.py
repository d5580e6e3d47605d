"""Let the old code tell exchangeable tensors apart: only the right ones give its outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from mm_ckpt_migrate.configs.values import Config
from mm_ckpt_migrate.convert.contents import only_weights
from mm_ckpt_migrate.convert.decide.decision import Decision
from mm_ckpt_migrate.convert.decide.training_and_configs import decide_contents
from mm_ckpt_migrate.convert.options import Options, Purpose
from mm_ckpt_migrate.convert.target_config import TargetConfig
from mm_ckpt_migrate.convert.write.new_file import write_checkpoint
from mm_ckpt_migrate.derive.assignment import Choices, Derivation, Evidence, Layouts
from mm_ckpt_migrate.derive.match import assign
from mm_ckpt_migrate.derive.propose import propose, read_rules
from mm_ckpt_migrate.derive.trials import MAX_TRIALS, agreed, alternatives
from mm_ckpt_migrate.files.archive.progress import no_progress
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.mapping.plan import fit_modules, make_plan
from mm_ckpt_migrate.releases.process import ReleaseProcess
from mm_ckpt_migrate.schema import TargetModel
from mm_ckpt_migrate.verdicts import Rung, may_publish, skipped
from mm_ckpt_migrate.verify.raw_outputs import Image, OutputDifference, Side, compare, model_request

# Where float32 sums in another order, float64 decides; its own rounding adds up to 1e-13.
_TOLERANCES: Final = {"float32": 0.0, "float64": 1e-10}


@dataclass(frozen=True, slots=True)
class OldModel:
    """The old side of the trials.

    Attributes:
        origin: the config's file, or what to call the one that nobody named.
        python: an interpreter with the old release.
    """

    file: Path
    config: Config
    origin: Path | str
    python: Path


def settle(
    found: Derivation,
    layouts: Layouts,
    config: Config | None,
    old: OldModel,
    target: TargetConfig,
    model: TargetModel,
    options: Options,
) -> Derivation:
    """Try every way to settle the open ties, and keep what the outputs decide.

    Args:
        config: what `found` was derived with.
        options: what may be imported, and built without a wall.

    Raises:
        MissingSoftwareError, CheckpointError, ConfigError: a model cannot be built, loaded or run.
    """
    ways = alternatives(found.assignment)
    if not ways:
        said = f"there are more than {MAX_TRIALS} ways to settle it, so that none was tried"
        return replace(found, notices=(*found.notices, said))
    tables = [assign(layouts.old, layouts.new, Evidence(config, way)).table for way in ways]
    with ExitStack() as stack:
        new_process = stack.enter_context(ReleaseProcess())
        old_process = stack.enter_context(ReleaseProcess(old.python))
        file = new_process.folder / "derived.pth"
        _migrate(old.file, file, found, model)
        allow, anyhow = options.allow_imports, options.allow_unconfined
        before = model_request(old.config, old.origin, allow, allow_unconfined=anyhow)
        after = model_request(target.config, target.origin, allow, allow_unconfined=anyhow)
        sides = Side(old_process, before, old.file), Side(new_process, after, file)
        equal = _equal(*sides, [_exchanged(tables[0], table) for table in tables])
    return _settled(found, layouts, config, ways, equal)


def _settled(
    found: Derivation, layouts: Layouts, config: Config | None, ways: Sequence[Choices], equal: Sequence[bool]
) -> Derivation:
    decided = agreed(ways, equal)
    said = f"{len(ways)} ways were tried; with {sum(equal)} the outputs equal the old code's"
    if not any(equal):
        said += ", so that something else is wrong, too"
    if not decided:
        return replace(found, notices=(*found.notices, said))
    assignment = assign(layouts.old, layouts.new, Evidence(config, decided))
    again = propose(assignment, layouts, found.family, config)
    return replace(again, notices=(*again.notices, said))


def _exchanged(first: Mapping[str, str], other: Mapping[str, str]) -> dict[str, str]:
    """New names to new names: what is different from the file that was made."""
    return {new: other[name] for name, new in first.items() if other[name] != new}


def _migrate(old: Path, new: Path, found: Derivation, model: TargetModel) -> None:
    """The weights under their new names, as `convert` writes them."""
    options = Options(purpose=Purpose.INFERENCE)
    with Source(old) as source:
        checkpoint = only_weights(open_checkpoint(source), raw=False)
        plan = fit_modules(make_plan(checkpoint.schema, read_rules(found.text)), model.schema)
        contents, _ = decide_contents(checkpoint, plan, model.schema.names, model, None, (), options)
        decision = Decision(
            family=found.family,
            plan=plan,
            order=model.schema.names,
            modules=tuple(model.schema.modules or ()),
            target=model,
            origin=None,
            roles=skipped(Rung.ROLES, "a trial"),
            contents=contents,
            notices=(),
        )
        written = write_checkpoint(
            checkpoint, decision, plan, None, new=new, options=options, progress=no_progress
        )
    assert may_publish(written.verdicts), written.verdicts


def _equal(old: Side, new: Side, ways: Sequence[Mapping[str, str]]) -> list[bool]:
    """Which ways give the old code's outputs; float64 is asked where none does in float32."""
    found: list[bool] = []
    for dtype, tolerance in _TOLERANCES.items():
        right = old.send(Image(), f"{dtype}.npz", dtype=dtype)
        made = [
            new.send(Image(), f"{dtype}-{number}.npz", dtype=dtype, names=dict(names))
            for number, names in enumerate(ways)
        ]
        old.receive(1)
        new.receive(len(made))
        found = [_within(compare(new.process, right, path)[0], tolerance) for path in made]
        if any(found):
            break
    return found


def _within(differences: Sequence[OutputDifference], tolerance: float) -> bool:
    """Written so that NaN fails."""
    return bool(differences) and all(d.largest <= tolerance * max(1.0, d.scale) for d in differences)
