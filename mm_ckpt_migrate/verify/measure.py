"""Measure how far two releases' raw outputs differ, and whether the measurement could show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from mm_ckpt_migrate.plan import Plan
from mm_ckpt_migrate.verify.outputs import Image, OutputDifference, Side, compare, largest_of

# Of the class logits of the last layer, relative to the largest.
_ALIVE: Final = 1e-4
# Another image must change each output by more, relative to the largest.
_REACHES: Final = 1e-4
# What sees no image of this size sees none: it takes a backward pass and dozens of forward ones.
_SMALL: Final = (64, 96)


@dataclass(frozen=True, slots=True)
class Recorded:
    """Outputs that the old release gave before: a file that `record_outputs` wrote, or one of the
    golden checkpoints' records."""

    path: Path


@dataclass(frozen=True, slots=True)
class ForwardResult:
    """What was measured.

    Attributes:
        differences: of each output, old and new, in float32.
        differences64: the same in float64, where float32 was not equal.
        control: the largest difference under the control.
        repeats: whether every run gave the same bits again.
        alive: whether the queries' class logits differ.
        unseen: tensors that no output can see, by their new names: a third of one that holds three
            projections as `name[key]`. That they are right, integrity alone proves.
        first_module: the innermost module whose output differs first, by its new name.
        scatter: pairs of old and new values.
        reaches: whether another image gives other outputs.
        untried: tensors of which there was no time to tell whether an output sees them.
        tensors: how many tensors were looked at for `unseen`; 0 where none were.
        recorded: what the record says about itself.
        seconds: of one run, old and new.
    """

    differences: tuple[OutputDifference, ...]
    differences64: tuple[OutputDifference, ...] | None
    control: float
    repeats: bool
    alive: bool
    unseen: tuple[str, ...]
    first_module: str | None
    scatter: tuple[tuple[float, float], ...]
    reaches: bool = True
    untried: tuple[str, ...] = ()
    tensors: int = 0
    recorded: Mapping[str, Any] | None = None
    seconds: tuple[float, ...] = ()


def measure(old: Side, new: Side, control: Mapping[str, str], image: Image) -> ForwardResult:
    """Both releases side by side; they work at the same time.

    Raises:
        MissingSoftwareError, CheckpointError, ConfigError: see `Side.receive`.
    """
    first = old.send(image, "old.npz", repeat=True)
    second, others = _send_new(new, image, control)
    answers = old.receive(1), new.receive(3)
    return _result(new, first, second, others, [*answers[0], *answers[1]])


def measure_record(old: Recorded, new: Side, control: Mapping[str, str]) -> ForwardResult:
    """The new release, and what the old one once gave; raises as `measure`."""
    image = Image(record=old.path)
    second, others = _send_new(new, image, control)
    return _result(new, old.path, second, others, new.receive(3))


def in_float64(
    old: Side, new: Side, result: ForwardResult, image: Image, plan: Plan | None, tolerance: float
) -> ForwardResult:
    """The same again in float64, and the first module that differs by more than rounding."""
    first = old.send(image, "old64.npz", dtype="float64", modules=True)
    second = new.send(image, "new64.npz", dtype="float64", modules=True)
    new.receive(1)
    old.receive(1)
    names = module_names(plan) if plan is not None else {}
    differences, answer = compare(new.process, first, second, modules=names, tolerance=tolerance)
    return replace(result, differences64=differences, first_module=answer["module"])


def look_for_unseen(new: Side, result: ForwardResult, budget: float) -> ForwardResult:
    """Add the tensors that no output can see, on a small image; raises as `measure`."""
    answer = new.demand("unseen", seed=0, size=list(_SMALL), budget=budget)
    return replace(
        result,
        unseen=tuple(answer["unseen"]),
        untried=tuple(answer["untried"]),
        tensors=int(answer["tensors"]),
    )


def module_names(plan: Plan) -> dict[str, str]:
    """New module path to old; without `_metadata`, from the keys of the tensors."""
    names = {new.rpartition(".")[0]: old.rpartition(".")[0] for old, new in plan.targets.items()}
    for move in plan.modules:
        if move.source is not None and move.target is not None:
            names[move.target] = move.source
    return names


def _send_new(
    new: Side, image: Image, control: Mapping[str, str]
) -> tuple[Path, tuple[Path, Path]]:
    """The run; the run on another image; the run with the control's names."""
    return new.send(image, "new.npz", repeat=True), (
        new.send(image.another(), "other.npz"),
        new.send(image, "control.npz", names=dict(control)),
    )


def _result(
    new: Side, first: Path, second: Path, others: tuple[Path, Path], answers: list[dict[str, Any]]
) -> ForwardResult:
    """Compare the files; `answers`: of the old run, where there is one, then of the three."""
    differences, answer = compare(new.process, first, second, points=True)
    moved, _ = compare(new.process, second, others[0])
    wrong, _ = compare(new.process, first, others[1])
    measured = [a for a in answers if a["repeats"] is not None]
    # Not a number is none of these faults: it is a difference.
    return ForwardResult(
        differences, None, largest_of(d.largest for d in wrong),
        repeats=all(a["repeats"] for a in measured),
        alive=all(a["spread"] is None or not a["spread"] <= _ALIVE for a in measured),
        unseen=(), first_module=None,
        scatter=tuple((float(old), float(new)) for old, new in answer["points"]),
        reaches=bool(moved) and all(not d.largest <= _REACHES * d.scale for d in moved),
        recorded=measured[-1]["about"],
        seconds=tuple(float(a["seconds"]) for a in measured),
    )  # fmt: skip
