"""What a report is made of: plain values, filled by whoever verified."""

from __future__ import annotations

from dataclasses import dataclass, field

from mm_ckpt_migrate.verdicts import Rung, Verdict
from mm_ckpt_migrate.verify.raw_outputs import OutputDifference
from mm_ckpt_migrate.verify.reference import Reference
from mm_ckpt_migrate.verify.rungs.metric import ClassScore, Sample

__all__ = [
    "ClassScore",
    "ForwardData",
    "MetricData",
    "OutputDifference",
    "Reference",
    "RenameLine",
    "ReportData",
    "Sample",
]


@dataclass(frozen=True, slots=True)
class ForwardData:
    """What the forward rung measured.

    Attributes:
        differences64: the same in float64, where rounding cannot be the reason.
        control: the largest difference under the deliberately wrong mapping.
        repeats: whether every run gave the same bits again.
        alive: whether the queries' class logits differ.
        unseen: tensors that no output can see.
        first_module: the first module whose outputs differ.
        scatter: pairs of an old and a new value.
        against: where the old outputs come from, in words.
        reaches: whether another image gives other outputs.
        untried: tensors of which there was no time to tell.
        tensors: how many were looked at for `unseen`; 0 where none were.
    """

    differences: tuple[OutputDifference, ...]
    differences64: tuple[OutputDifference, ...] | None = None
    control: float | None = None
    repeats: bool | None = None
    alive: bool | None = None
    unseen: tuple[str, ...] = ()
    first_module: str | None = None
    scatter: tuple[tuple[float, float], ...] = ()
    tolerance: float | None = None
    against: str = ""
    reaches: bool | None = None
    untried: tuple[str, ...] = ()
    tensors: int = 0


@dataclass(frozen=True, slots=True)
class MetricData:
    """What the metric rung measured.

    Attributes:
        classes: in the order of their labels.
        images: how many images were evaluated; `of` is how many the data set has.
        palette: the data set's colours, in the order of the labels.
    """

    new: dict[str, float]
    old: dict[str, float] | None
    reference: Reference
    tolerance: float
    classes: tuple[ClassScore, ...] = ()
    images: int = 0
    of: int | None = None
    seconds: float | None = None
    samples: tuple[Sample, ...] = ()
    palette: tuple[tuple[int, int, int], ...] = ()
    dataset: str = ""


@dataclass(frozen=True, slots=True)
class RenameLine:
    """Names that change in the same way, folded; `new` is None where they are dropped."""

    old: str
    new: str | None
    count: int = 1


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything that the page shows. Whatever is None or empty is left out of it.

    Attributes:
        file: the checkpoint that was verified.
        source: the checkpoint that it was made from.
        config: the config of the model, as a path or a name.
        renames: what becomes of each name that changes; `pages.folding` makes them.
        kept: how many names stay.
        versions: package to version, of the release that reads `file`.
        old_versions: the same of the release that wrote `source`.
        command: the arguments that make this report again.
        made: when it was made, as text; without it, equal data gives equal bytes.
        tool: name and version of this program.
        required: rungs that must not be skipped.
    """

    file: str
    family: str
    sha256: str
    verdicts: tuple[Verdict, ...]
    source: str | None = None
    source_sha256: str | None = None
    config: str | None = None
    renames: tuple[RenameLine, ...] = ()
    kept: int | None = None
    versions: dict[str, str] = field(default_factory=dict)
    old_versions: dict[str, str] | None = None
    forward: ForwardData | None = None
    metric: MetricData | None = None
    notices: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    made: str | None = None
    tool: str = "mm-ckpt-migrate"
    required: tuple[Rung, ...] = ()
