"""Measure how far two releases' raw outputs differ, and whether the measurement could show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from mm_ckpt_migrate.errors import CheckpointError, MigrateError
from mm_ckpt_migrate.mapping.plan import Plan
from mm_ckpt_migrate.verify.raw_outputs import Image, OutputDifference, Side, compare, largest_of
from mm_ckpt_migrate.verify.rungs.both_sides import CannotRunError, answers_of, on_an_image

# Of the class logits of the last layer, relative to the largest.
_ALIVE: Final = 1e-4
# Another image must change each output by more, relative to the largest.
_REACHES: Final = 1e-4
# Both, and the control, in float64, whose rounding adds up to 1e-13.
CLOSER: Final = 1e-9
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
        closer: whether `control`, `alive` and `reaches` are of float64.
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
    closer: bool = False


def measure(old: Side, new: Side, control: Mapping[str, str], image: Image) -> ForwardResult:
    """Both releases side by side; they work at the same time.

    Raises:
        CannotRunError: one of them gives no outputs.
    """
    first = old.send(image, "old.npz", repeat=True)
    second, others = _send_new(new, image, control)
    return _result(new, first, second, others, answers_of(old, new, 1, 3))


def measure_record(old: Recorded, new: Side, control: Mapping[str, str]) -> ForwardResult:
    """The new release, and what the old one once gave.

    Raises:
        CannotRunError: the new release gives no outputs.
        CheckpointError: the record is none.
    """
    if not old.path.is_file():  # a pipe would be waited for
        raise CheckpointError(old.path, "it is no file, or not there")
    second, others = _send_new(new, Image(record=old.path), control)
    try:
        answers = new.receive(3)
    except MigrateError as error:
        if isinstance(error, CheckpointError) and str(error.path) == str(old.path.absolute()):
            raise
        raise CannotRunError(new=error) from error
    return _result(new, old.path, second, others, answers)


def in_float64(
    old: Side, new: Side, result: ForwardResult, image: Image, plan: Plan | None, tolerance: float
) -> ForwardResult:
    """The same again in float64, and the first module that differs by more than rounding.

    Raises:
        CannotRunError: one of them gives no outputs.
    """
    first = old.send(image, "old64.npz", dtype="float64", modules=True)
    second = new.send(image, "new64.npz", dtype="float64", modules=True)
    answers_of(old, new, 1, 1)
    names = module_names(plan) if plan is not None else {}
    differences, answer = compare(new.process, first, second, modules=names, tolerance=tolerance)
    return replace(result, differences64=differences, first_module=answer["module"])


def look_closer(new: Side, result: ForwardResult, image: Image, control: Mapping[str, str]) -> ForwardResult:
    """Whether float64 shows a difference where float32 shows none; after `in_float64`.

    A detector may score all places alike to four digits, and yet not the same.

    Raises:
        CannotRunError: the new release gives no outputs.
    """
    first, others = _send_new(new, image, control, "64", repeat=False, dtype="float64")
    try:
        answers = new.receive(3)
    except MigrateError as error:
        raise CannotRunError(new=error) from error
    moved, _ = compare(new.process, first, others[0])
    wrong, _ = compare(new.process, first, others[1])
    return replace(
        result,
        control=largest_of(d.largest for d in wrong),
        alive=_alive(answers[:1], CLOSER),
        reaches=_reaches(moved, CLOSER),
        closer=True,
    )


def look_for_unseen(new: Side, result: ForwardResult, budget: float, image: Image) -> ForwardResult:
    """Add the tensors that no output can see, on a small image, or one of this one's size.

    Raises:
        CannotRunError: they cannot be looked for.
    """

    def look(image: Image) -> dict[str, Any]:
        try:
            return new.demand("unseen", seed=0, size=list(image.size), budget=budget)
        except MigrateError as error:
            raise CannotRunError(new=error) from error

    answer, _ = on_an_image((Image(size=_SMALL), image), look)
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
    new: Side, image: Image, control: Mapping[str, str], mark: str = "", **more: object
) -> tuple[Path, tuple[Path, Path]]:
    """The run; the run on another image; the run with the control's names."""
    return new.send(image, f"new{mark}.npz", **{"repeat": True, **more}), (
        new.send(image.another(), f"other{mark}.npz", **more),
        new.send(image, f"control{mark}.npz", names=dict(control), **more),
    )


def _result(
    new: Side, first: Path, second: Path, others: tuple[Path, Path], answers: list[dict[str, Any]]
) -> ForwardResult:
    """Compare the files; `answers`: of the old run, where there is one, then of the three."""
    differences, answer = compare(new.process, first, second, points=True)
    moved, _ = compare(new.process, second, others[0])
    wrong, _ = compare(new.process, first, others[1])
    measured = [a for a in answers if a["repeats"] is not None]
    return ForwardResult(
        differences=differences,
        differences64=None,
        control=largest_of(d.largest for d in wrong),
        repeats=all(a["repeats"] for a in measured),
        alive=_alive(measured, _ALIVE),
        unseen=(),
        first_module=None,
        scatter=tuple((float(old), float(new)) for old, new in answer["points"]),
        reaches=_reaches(moved, _REACHES),
        recorded=measured[-1]["about"],
        seconds=tuple(float(a["seconds"]) for a in measured),
    )


# Not a number is neither of these faults: it is a difference.
def _alive(answers: list[dict[str, Any]], least: float) -> bool:
    return all(a["spread"] is None or not a["spread"] <= least for a in answers)


def _reaches(moved: tuple[OutputDifference, ...], least: float) -> bool:
    return bool(moved) and all(not d.largest <= least * d.scale for d in moved)
