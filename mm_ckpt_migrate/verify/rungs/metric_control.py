"""Whether a metric could have shown an error: predictions that say nothing prove nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from mm_ckpt_migrate.verify.reference import METRIC, Answer, metrics_of
from mm_ckpt_migrate.verify.rungs.both_sides import NOTHING
from mm_ckpt_migrate.verify.rungs.metric import same_digits


@dataclass(frozen=True, slots=True)
class MetricControl:
    """The right mapping and the family's deliberate error, evaluated on the same images.

    Attributes:
        right, wrong: what the current release answered.
        mistake: what is wrong there.
    """

    right: Answer
    wrong: Answer
    mistake: str

    def lines(self) -> Iterator[str]:
        """For the details of a verdict."""
        right, wrong = (metrics_of(a).get(METRIC, math.nan) for a in (self.right, self.wrong))
        few = int(self.right["images"]) < int(self.right["all_images"])
        images = f" on the first {self.right['images']} images" if few else ""
        yield f"with {self.mistake}, mIoU{images} is {wrong:.2f} and not {right:.2f}"

    def shows_nothing(self, tolerance: float) -> bool:
        """Whether the wrong mapping would pass, too."""
        if not tolerance:
            return same_digits(self.wrong, self.right)
        right, wrong = (metrics_of(a).get(METRIC, math.nan) for a in (self.right, self.wrong))
        return abs(right - wrong) <= tolerance


def proves_nothing(new: Answer, control: MetricControl | None, tolerance: float) -> str:
    """Why a result that is right could not have been wrong; empty where it could.

    Args:
        tolerance: of mIoU, in percent; 0 where every digit must be the same.
    """
    if not new.get("varied", True):
        return f"{NOTHING}: each image is predicted as one class"
    if control is not None and control.shows_nothing(tolerance):
        return f"{NOTHING}: with {control.mistake}, the metric is the same"
    return ""
