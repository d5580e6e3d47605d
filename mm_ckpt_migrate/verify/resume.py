"""Resume: the next steps of the training give the losses that they gave in the old code."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mm_ckpt_migrate.configs.values import Config
from mm_ckpt_migrate.report import Rung, Verdict, failed, passed, skipped
from mm_ckpt_migrate.target.literal import literal
from mm_ckpt_migrate.verify.outputs import Side

STEPS: Final = 5
SEED: Final = 4000
SIZE: Final = (64, 64)
# Gradients are clipped by their norm, whose terms each release sums in its own order: up to 2e-7
# of the loss on one machine, 2e-5 with some models. Wrong momentum is a thousand times that.
TOLERANCE: Final = 2e-5
_CLEARLY: Final = 20


@dataclass(frozen=True, slots=True)
class ResumeResult:
    """Losses of the next steps.

    Attributes:
        control: those of the current release with state given to wrong parameters.
    """

    old: tuple[float, ...]
    new: tuple[float, ...]
    control: tuple[float, ...]
    largest: float


def check_resume(
    old: Side, new: Side, old_config: Config, new_config: Config
) -> tuple[Verdict, ResumeResult | None]:
    """Take the next steps in both releases, and in the current one with a deliberate error.

    Raises:
        MissingSoftwareError, CheckpointError, ConfigError: a training cannot be resumed.
    """
    request = {"steps": STEPS, "seed": SEED, "size": list(SIZE)}
    old.process.send(old.request("resume", training=_training(old_config, old), **request))
    settings = _training(new_config, new)
    for exchange in (False, True):
        new.process.send(new.request("resume", training=settings, exchange=exchange, **request))
    (before,), (after, wrong) = old.receive(1), new.receive(2)
    if before["draws"] != after["draws"]:
        reason = "the two builds of torch draw other random numbers, which the losses depend on"
        return skipped(Rung.RESUME, reason), None
    result = ResumeResult(
        tuple(before["losses"]), tuple(after["losses"]), tuple(wrong["losses"]),
        _relative(after["losses"], before["losses"]),
    )  # fmt: skip
    return _judge(result), result


def _training(config: Config, side: Side) -> str:
    settings = {name: config.get(name) for name in ("optim_wrapper", "param_scheduler")}
    return literal(settings, side.model.source)


def _relative(losses: Sequence[float], reference: Sequence[float]) -> float:
    """The largest difference relative to the reference; NaN where one is NaN."""
    found = [abs(a - b) / max(abs(b), 1e-12) for a, b in zip(losses, reference, strict=True)]
    return math.nan if any(map(math.isnan, found)) else max(found)


def _judge(result: ResumeResult) -> Verdict:
    shown = [
        f"step {number}: {a:.7g} in the old code, {b:.7g} now"
        for number, (a, b) in enumerate(zip(result.old, result.new, strict=True), 1)
    ]
    control = _relative(result.control, result.old)
    if not control > _CLEARLY * TOLERANCE:
        return failed(Rung.RESUME, "exchanged state gives the same losses: this proves nothing")
    if not result.largest <= TOLERANCE:
        said = f"the losses of the next steps differ by {result.largest:.2g}, relatively"
        return failed(Rung.RESUME, said, shown)
    return passed(
        Rung.RESUME,
        f"the losses of the next {len(result.new)} steps differ by {result.largest:.2g}, "
        f"relatively; with state exchanged, by {control:.2g}",
    )
