"""Forward: the new code with the new file gives the raw outputs that the old code gave.

The comparison first shows that it can fail: the run repeats to the last bit, another image gives
other outputs, the queries have not collapsed to one, and with the family's control, the wrong
mapping that loads strictly too, the outputs differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mm_ckpt_migrate.keys import fold
from mm_ckpt_migrate.plan import Plan, make_plan
from mm_ckpt_migrate.report import Rung, Status, Verdict, failed, passed
from mm_ckpt_migrate.ruleset.model import RuleSet
from mm_ckpt_migrate.schema import Schema
from mm_ckpt_migrate.verify.measure import (
    ForwardResult,
    Recorded,
    in_float64,
    look_for_unseen,
    measure,
    measure_record,
)
from mm_ckpt_migrate.verify.outputs import Image, OutputDifference, Side, largest_of

if TYPE_CHECKING:
    from mm_ckpt_migrate.target.resolve import Target

# On the machine that made the record the difference is 0.0; other processors sum in other orders.
TOLERANCE: Final = 1e-5
# Both releases in one place: float32 that is not equal must be so in float64, whose rounding is
# 1e-16 and adds up to 1e-13. What is left in float32 may be no more than many roundings.
_TOLERANCE64: Final = 1e-10
_TOLERANCE32: Final = 1e-3
# A deliberate error that differs by little more than rounding does would show nothing.
_CLEARLY: Final = 100
_BUDGET: Final = 60.0
_COUNTER: Final = "num_batches_tracked"
_MISTAKE: Final = "two parts exchanged"


def control_names(schema: Schema, rules: RuleSet) -> dict[str, str]:
    """New names under the right rules, to new names under the control."""
    right, wrong = make_plan(schema, rules), make_plan(schema, rules.with_control())
    return {right.targets[name]: wrong.targets[name] for name in schema.names}


def check_record(
    target: Target,
    new: Path,
    record: Path,
    control: Mapping[str, str],
    mistake: str = _MISTAKE,
) -> Verdict:
    """Compare a new file's outputs with those that the old release gave, recorded in `record`.

    Args:
        control: new names to the new names of the family's deliberate error.
        mistake: what is wrong there.

    Raises:
        MissingSoftwareError, ConfigError: the target model cannot be built or run.
    """
    differences = target.forward(new, "torch", record, {})
    wrong = target.forward(new, "torch", record, control)
    largest, deliberate = largest_of(differences.values()), largest_of(wrong.values())
    details = [f"{name}: {difference:.3g}" for name, difference in differences.items()]
    if deliberate <= TOLERANCE:
        return failed(Rung.FORWARD, "the wrong mapping gives the same outputs: this proves nothing")
    # Written so that NaN fails.
    if not largest <= TOLERANCE:
        return failed(Rung.FORWARD, f"outputs differ by {largest:.3g} from the old code's", details)
    return passed(
        Rung.FORWARD,
        f"raw outputs differ by {largest:.3g} from those of the old code; with {mistake}, by "
        f"{deliberate:.3g}",
    )


def check_forward(
    old: Side | Recorded,
    new: Side,
    control: Mapping[str, str],
    *,
    mistake: str = _MISTAKE,
    plan: Plan | None = None,
    image: Image | None = None,
    budget: float = _BUDGET,
) -> tuple[Verdict, ForwardResult]:
    """Compare two releases, each with its own file and config, or a release with a record.

    Side by side outputs must be equal to the last bit, or the same mathematics: float64 decides.
    With a record, or where the plan folds a tensor into another, they may differ by `TOLERANCE`,
    relative to the largest value if that exceeds 1.

    Args:
        control: new names to the new names of the family's deliberate error.
        mistake: what is wrong there.
        plan: how the new file was made; it tells the old name of each module, too.
        image: a record brings its own.
        budget: seconds to look for tensors that no output can see; 0 for not at all.

    Raises:
        MissingSoftwareError, CheckpointError, ConfigError: a model cannot be built, loaded or run.
    """
    if isinstance(old, Recorded):
        result = measure_record(old, new, control)
        verdict = _judge_closeness(result, plan, mistake)
    else:
        result, verdict = _side_by_side(old, new, control, image or Image(), plan, mistake)
    if verdict.status is Status.PASS and budget > 0:
        result = look_for_unseen(new, result, budget)
        verdict = replace(verdict, details=(*verdict.details, *_unseen(result)))
    return verdict, result


def _side_by_side(
    old: Side,
    new: Side,
    control: Mapping[str, str],
    image: Image,
    plan: Plan | None,
    mistake: str,
) -> tuple[ForwardResult, Verdict]:
    result = measure(old, new, control, image)
    if plan is not None and plan.fold is not None:
        return result, _judge_closeness(result, plan, mistake)
    if _equal(result.differences):
        return result, _judge(result, True, "", mistake)
    result = in_float64(old, new, result, image, plan, _TOLERANCE64)
    return result, _judge(result, _only_rounding(result), _rounding(result), mistake)


def _judge_closeness(result: ForwardResult, plan: Plan | None, mistake: str) -> Verdict:
    close, said = _within(result.differences, TOLERANCE), ""
    if plan is not None and plan.fold is not None:
        said = f", folded: {'equal up to rounding' if close else 'more than rounding'}"
    return _judge(result, close, said, mistake)


def _judge(result: ForwardResult, equal: bool, rounding: str, mistake: str) -> Verdict:
    largest = largest_of(d.largest for d in result.differences)
    details = [_line(difference) for difference in result.differences]
    if not equal:
        where = f"; the first that differs is {result.first_module}" if result.first_module else ""
        if not result.repeats:
            where += "; but the same run gives other outputs each time"
        if result.control <= TOLERANCE < largest:
            where += f"; with {mistake}, they are equal: another family's rules made this file"
        said = f"outputs differ by {largest:.3g} from the old code's{rounding}{where}"
        return failed(Rung.FORWARD, said, details)
    if faults := _faults(result):
        return failed(Rung.FORWARD, f"this proves nothing: {'; '.join(faults)}", details)
    same = f"differ by {largest:.3g} from those of the old code{rounding}"
    if largest == 0:
        same = "equal those of the old code to the last bit"
    control = f"with {mistake}, they differ by {result.control:.3g}"
    return passed(Rung.FORWARD, f"raw outputs {same}; {control}", details)


def _faults(result: ForwardResult) -> list[str]:
    """Why the comparison could not have failed."""
    largest = largest_of(d.largest for d in result.differences)
    limit = max(TOLERANCE, _CLEARLY * largest)
    checks = {
        "the same run gives other outputs each time": result.repeats,
        "another image gives the same outputs": result.reaches,
        "all queries give the same class logits": result.alive,
        "the wrong mapping gives the same outputs": not result.control <= limit,
    }
    return [fault for fault, fine in checks.items() if not fine]


def _equal(differences: Sequence[OutputDifference]) -> bool:
    return bool(differences) and all(d.largest == 0 for d in differences)


def _within(differences: Sequence[OutputDifference], tolerance: float) -> bool:
    """Written so that NaN fails."""
    return bool(differences) and all(
        d.largest <= tolerance * max(1.0, d.scale) for d in differences
    )


def _only_rounding(result: ForwardResult) -> bool:
    return _within(result.differences64 or (), _TOLERANCE64) and _within(
        result.differences, _TOLERANCE32
    )


def _rounding(result: ForwardResult) -> str:
    precise = largest_of(d.largest for d in result.differences64 or ())
    verdict = "rounding" if _only_rounding(result) else "an error, no rounding"
    return f" in float32 and by {precise:.3g} in float64: {verdict}"


def _line(difference: OutputDifference) -> str:
    return f"{difference.name}: {difference.largest:.3g} of {difference.scale:.3g}"


def _unseen(result: ForwardResult) -> list[str]:
    """What no output can see, folded over the layers."""
    if not result.tensors:
        return []
    if not result.unseen and not result.untried:
        return [f"every one of {result.tensors} tensors is seen by an output"]
    lines: list[str] = []
    if result.unseen:
        count = f"{len(result.unseen)} of {result.tensors} tensors"
        lines.append(f"no output sees {count}; that they are right, integrity proves:")
    counters = [name for name in result.unseen if name.endswith(_COUNTER)]
    others = [name for name in result.unseen if not name.endswith(_COUNTER)]
    lines += [f"  {line}" for line in fold(others)]
    lines += [f"  {len(counters)} named {_COUNTER}: training alone reads them"] if counters else []
    if result.untried:
        lines += [f"no time to look at {len(result.untried)} more:"]
        lines += [f"  {line}" for line in fold(result.untried)]
    return lines


__all__ = [
    "TOLERANCE", "ForwardResult", "Image", "OutputDifference", "Recorded", "Side",
    "check_forward", "check_record", "control_names",
]  # fmt: skip
