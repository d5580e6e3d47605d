"""Forward: the new code with the new file gives the raw outputs that the old code gave.

The comparison first shows that it can fail: the run repeats to the last bit, another image gives
other outputs, the queries have not collapsed to one, and with the family's control, the wrong
mapping that loads strictly too, the outputs differ.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from mm_ckpt_migrate.mapping.plan import Plan, make_plan
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet
from mm_ckpt_migrate.names import fold
from mm_ckpt_migrate.schema import Schema
from mm_ckpt_migrate.verdicts import Rung, Status, Verdict, failed, passed, skipped
from mm_ckpt_migrate.verify.raw_outputs import Image, OutputDifference, Side, largest_of
from mm_ckpt_migrate.verify.rungs.both_sides import NOTHING, CannotRunError, on_an_image
from mm_ckpt_migrate.verify.rungs.forward_measure import (
    CLOSER,
    ForwardResult,
    Recorded,
    in_float64,
    look_closer,
    look_for_unseen,
    measure,
    measure_record,
)

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


def check_forward(
    old: Side | Recorded,
    new: Side,
    control: Mapping[str, str],
    *,
    mistake: str = _MISTAKE,
    plan: Plan | None = None,
    images: Sequence[Image] = (Image(),),
    budget: float = _BUDGET,
) -> tuple[Verdict, ForwardResult | None]:
    """Compare two releases, each with its own file and config, or a release with a record.

    Side by side outputs must be equal to the last bit, or the same mathematics: float64 decides.
    With a record they may differ by `TOLERANCE`, relative to the largest value if that exceeds 1.
    What could not have failed proves nothing, and is skipped.

    Args:
        control: new names to the new names of the family's deliberate error.
        mistake: what is wrong there.
        plan: how the new file was made; it tells the old name of each module, too.
        images: the first that the models can be run on is taken; a record brings its own.
        budget: seconds to look for tensors that no output can see; 0 for not at all.

    Returns:
        The verdict, and what was measured; None where a model could not be run.

    Raises:
        CheckpointError: the record is none.
        MissingSoftwareError: the new release's process gave no answer.
        UnconfinedError: there is no wall to run the new model within.
    """
    image = images[0]
    try:
        if isinstance(old, Recorded):
            result = measure_record(old, new, control)
            verdict = _judge(result, _within(result.differences, TOLERANCE), "", mistake)
        else:
            side = old
            result, image = on_an_image(images, lambda i: measure(side, new, control, i))
            result, verdict = _side_by_side(old, new, result, control, image, plan, mistake)
    except CannotRunError as error:
        return error.verdict(Rung.FORWARD), None
    if verdict.status is Status.PASS and budget > 0:
        result, lines = _look_for_unseen(new, result, budget, image)
        verdict = replace(verdict, details=(*verdict.details, *lines))
    return verdict, result


def _side_by_side(
    old: Side,
    new: Side,
    result: ForwardResult,
    control: Mapping[str, str],
    image: Image,
    plan: Plan | None,
    mistake: str,
) -> tuple[ForwardResult, Verdict]:
    """Judge what was measured in float32; where that does not do, measure in float64, too."""
    equal = _equal(result.differences)
    if (equal and not _faults(result)) or not result.repeats:
        return result, _judge(result, equal, "", mistake)
    try:
        precise = in_float64(old, new, result, image, plan, _TOLERANCE64)
        if _only_rounding(precise) and _faults(precise):
            precise = look_closer(new, precise, image, control)
    except CannotRunError as error:
        return result, _judge_float32(result, error, mistake)
    if equal and not _only_rounding(precise):  # then float64 is of no help
        return result, _judge(result, equal, "", mistake)
    return precise, _judge(precise, _only_rounding(precise), _rounding(precise), mistake)


def _judge_float32(result: ForwardResult, error: CannotRunError, mistake: str) -> Verdict:
    """Without float64, a small difference may be rounding, and may be an error."""
    equal = _equal(result.differences)
    if equal or not _within(result.differences, _TOLERANCE32):
        return _judge(result, equal, "", mistake)
    largest = largest_of(d.largest for d in result.differences)
    return skipped(
        Rung.FORWARD,
        f"cannot tell: outputs differ by {largest:.3g}, and float64, which would tell rounding "
        f"from an error, cannot be run: {error}",
    )


def _look_for_unseen(
    new: Side, result: ForwardResult, budget: float, image: Image
) -> tuple[ForwardResult, list[str]]:
    try:
        found = look_for_unseen(new, result, budget, image)
    except CannotRunError as error:
        return result, [f"which tensors no output sees is not known: {error}"]
    return found, _unseen(found)


def _judge(result: ForwardResult, equal: bool, rounding: str, mistake: str) -> Verdict:
    largest = largest_of(d.largest for d in result.differences)
    details = [_line(difference) for difference in result.differences]
    if not all(math.isfinite(difference.scale) for difference in result.differences):
        return skipped(Rung.FORWARD, f"{NOTHING}: the old code's own outputs are no numbers")
    if not equal and result.repeats:
        where = f"; the first that differs is {result.first_module}" if result.first_module else ""
        if result.control <= TOLERANCE < largest:
            where += f"; with {mistake}, they are equal: another family's rules made this file"
        said = f"outputs differ by {largest:.3g} from the old code's{rounding}{where}"
        return failed(Rung.FORWARD, said, details)
    if faults := _faults(result):
        return skipped(Rung.FORWARD, f"{NOTHING}: {'; '.join(faults)}")
    same = f"differ by {largest:.3g} from those of the old code{rounding}"
    if largest == 0:
        same = "equal those of the old code to the last bit"
    closer = " in float64" if result.closer else ""
    control = f"with {mistake}, they differ by {result.control:.3g}{closer}"
    return passed(Rung.FORWARD, f"raw outputs {same}; {control}", details)


def _faults(result: ForwardResult) -> list[str]:
    """Why the comparison could not have failed."""
    differences = result.differences64 if result.closer else result.differences
    least = CLOSER if result.closer else TOLERANCE
    limit = max(least, _CLEARLY * largest_of(d.largest for d in differences or ()))
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
    return bool(differences) and all(d.largest <= tolerance * max(1.0, d.scale) for d in differences)


def _only_rounding(result: ForwardResult) -> bool:
    return _within(result.differences64 or (), _TOLERANCE64) and _within(result.differences, _TOLERANCE32)


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
    "TOLERANCE",
    "ForwardResult",
    "Image",
    "OutputDifference",
    "Recorded",
    "Side",
    "check_forward",
    "control_names",
]
