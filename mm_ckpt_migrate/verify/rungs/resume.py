"""Resume: the next steps of the training give the losses that they gave in the old code.

The comparison first shows that it can fail: with state given to wrong parameters, the losses are
others. Where float32 does not show that, as at the end of a schedule, float64 may.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from mm_ckpt_migrate.configs.values import Config
from mm_ckpt_migrate.errors import ConfigError
from mm_ckpt_migrate.releases.allowed.parts import training_text
from mm_ckpt_migrate.verdicts import Rung, Verdict, failed, passed, skipped
from mm_ckpt_migrate.verify.raw_outputs import Image, Side
from mm_ckpt_migrate.verify.rungs.both_sides import (
    NOTHING,
    CannotRunError,
    answers_of,
    images_for,
    on_an_image,
)

STEPS: Final = 5
SEED: Final = 4000
SIZE: Final = (64, 64)
# Gradients are clipped by their norm, whose terms each release sums in its own order: up to 2e-7
# of the loss on one machine, 2e-5 with some models. Wrong momentum is a thousand times that.
TOLERANCE: Final = 2e-5
# The same in float64, whose rounding is 1e-16; and what rounding may make of the losses in float32.
_TOLERANCE64: Final = 1e-9
_ROUNDING: Final = 1e-3
_CLEARLY: Final = 20


@dataclass(frozen=True, slots=True)
class ResumeResult:
    """Losses of the next steps.

    Attributes:
        control: those of the current release with state given to wrong parameters.
        largest: the largest difference between old and new, relative to the old.
        exchanged: how many pairs of parameters have each other's state in the control.
        largest64, control64: the largest differences in float64; None where float32 did.
    """

    old: tuple[float, ...]
    new: tuple[float, ...]
    control: tuple[float, ...]
    largest: float
    exchanged: int = 1
    largest64: float | None = None
    control64: float | None = None


def check_resume(
    old: Side, new: Side, old_config: Config, new_config: Config
) -> tuple[Verdict, ResumeResult | None]:
    """Take the next steps in both releases, and in the current one with a deliberate error.

    Returns:
        The verdict, and the losses; None where a training could not be resumed or compared.

    Raises:
        MissingSoftwareError: the current release's process gave no answer.
        UnconfinedError: there is no wall to run its model within.
    """
    try:
        trainings = _training(old_config, old), _training(new_config, new)
    except ConfigError as error:  # what must not be built, such as an optimizer of the user's own
        return skipped(Rung.RESUME, f"cannot tell: {error.message}"), None

    def run(image: Image, dtype: str = "float32") -> list[dict[str, Any]]:
        return _losses(old, new, trainings, image, dtype)

    try:
        answers, image = on_an_image(images_for(Image(SEED, SIZE), new_config), run)
        if answers[0]["draws"] != answers[1]["draws"]:
            reason = "the two builds of torch draw other random numbers, which the losses depend on"
            return skipped(Rung.RESUME, reason), None
    except CannotRunError as error:
        return error.verdict(Rung.RESUME), None
    result = _result(answers)
    if result is None:
        return skipped(Rung.RESUME, f"{NOTHING}: the old code's own loss is no number"), None
    if _asks_for_float64(result):
        with contextlib.suppress(CannotRunError):  # then float32 is all that there is
            result = _closer(result, run(image, "float64"))
    return _judge(result), result


def _training(config: Config, side: Side) -> str:
    return training_text(config, side.model)


def _losses(
    old: Side, new: Side, trainings: tuple[str, str], image: Image, dtype: str
) -> list[dict[str, Any]]:
    """Answers of the old release, of the current one, and of that with the deliberate error."""
    request = {"steps": STEPS, "seed": image.seed, "size": list(image.size), "dtype": dtype}
    old.ask("resume", training=trainings[0], **request)
    for exchange in (False, True):
        new.ask("resume", training=trainings[1], exchange=exchange, **request)
    return answers_of(old, new, 1, 2)


def _result(answers: list[dict[str, Any]]) -> ResumeResult | None:
    """The losses, up to where the old code's are no numbers; None where the first is none."""
    before, after, wrong = (answer["losses"] for answer in answers)
    count = next((n for n, loss in enumerate(before) if not math.isfinite(loss)), len(before))
    if not count:
        return None
    return ResumeResult(
        old=tuple(before[:count]),
        new=tuple(after[:count]),
        control=tuple(wrong[:count]),
        largest=_relative(after[:count], before[:count]),
        exchanged=int(answers[2]["exchanged"]),
    )


def _asks_for_float64(result: ResumeResult) -> bool:
    shown = not _relative(result.control, result.old) <= _CLEARLY * TOLERANCE
    return not result.largest <= TOLERANCE or (result.exchanged > 0 and not shown)


def _closer(result: ResumeResult, answers: list[dict[str, Any]]) -> ResumeResult:
    precise = _result(answers)
    if precise is None:
        return result
    return replace(result, largest64=precise.largest, control64=_relative(precise.control, precise.old))


def _relative(losses: Sequence[float], reference: Sequence[float]) -> float:
    """The largest difference relative to the reference; NaN where one is NaN."""
    found = [abs(a - b) / max(abs(b), 1e-12) for a, b in zip(losses, reference, strict=True)]
    return math.nan if any(map(math.isnan, found)) else max(found)


def _judge(result: ResumeResult) -> Verdict:
    """Written so that NaN is a difference."""
    said = f"the losses of the next {len(result.new)} steps differ by {result.largest:.2g}"
    if not result.largest <= TOLERANCE:
        verdict = _judge_difference(result, said)
        if verdict is not None:
            return verdict
        said += f" in float32 and by {result.largest64:.2g} in float64"
    if not result.exchanged:
        reason = "and the optimizer holds no momentum, so that there is nothing to exchange"
        return skipped(Rung.RESUME, f"{NOTHING}: {said}, relatively, {reason}")
    control, closer = _relative(result.control, result.old), ""
    limit = _CLEARLY * TOLERANCE
    if result.control64 is not None:
        control, limit, closer = result.control64, _CLEARLY * _TOLERANCE64, " in float64"
    if control <= limit:
        return skipped(Rung.RESUME, f"{NOTHING}: exchanged state gives the same losses")
    return passed(Rung.RESUME, f"{said}, relatively; with state exchanged, by {control:.2g}{closer}")


def _judge_difference(result: ResumeResult, said: str) -> Verdict | None:
    """Of losses that differ in float32; None where it is rounding."""
    shown = [
        f"step {number}: {a:.7g} in the old code, {b:.7g} now"
        for number, (a, b) in enumerate(zip(result.old, result.new, strict=True), 1)
    ]
    small = result.largest <= _ROUNDING
    if result.largest64 is None and small:
        return skipped(
            Rung.RESUME,
            f"cannot tell: {said}, relatively, and float64, which would tell rounding from an "
            "error, cannot be run",
        )
    if result.largest64 is None or not result.largest64 <= _TOLERANCE64:
        precise = "" if result.largest64 is None else f"; in float64 by {result.largest64:.2g}"
        return failed(Rung.RESUME, f"{said}, relatively{precise}", shown)
    if not small:
        reason = f"and in float64 by {result.largest64:.2g} alone: this training magnifies rounding"
        return skipped(Rung.RESUME, f"cannot tell: {said}, relatively, {reason}")
    return None
