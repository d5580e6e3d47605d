"""Metric: on its own test set the new file scores what the old one did.

Against the old release itself there is no tolerance: both compute the same numbers from the same
images, so every digit that is printed, of every class, is the same. Against a number that somebody
wrote down there is one. Comparisons are written so that NaN fails.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from mm_ckpt_migrate.errors import (
    ConfigError,
    ExitCode,
    MigrateError,
    MissingSoftwareError,
    TargetMismatchError,
)
from mm_ckpt_migrate.names import safe_text
from mm_ckpt_migrate.verdicts import Rung, Verdict, failed, passed, skipped
from mm_ckpt_migrate.verify.reference import METRIC, Answer, Reference, metrics_of, to_float

AREAS: Final = ("intersect", "union", "predicted", "labelled")
PRINTED: Final = ("IoU", "Acc")
ROUNDING: Final = 1e-9  # 44.29 and 44.30 are a little more than 0.01 apart
LAST_DIGIT: Final = 0.01 + ROUNDING
MOST_LINES: Final = 20


class DataSetError(MigrateError):
    """The data set is missing, damaged, or not the one that the model was trained for."""

    exit_code: ClassVar[ExitCode] = ExitCode.USAGE


class EvaluationError(MigrateError):
    """The evaluation came to no result."""

    exit_code: ClassVar[ExitCode] = ExitCode.METRIC_FAILED


@dataclass(frozen=True, slots=True)
class ClassScore:
    """IoU of one class in percent, as it is printed; NaN where the images have none of it.

    Attributes:
        old: the old release's; None where it is not known.
    """

    name: str
    old: float | None
    new: float


@dataclass(frozen=True, slots=True)
class Sample:
    """One image and what was seen in it: PNGs, predictions as indices of classes.

    Attributes:
        old: the old release's prediction, where it was asked.
    """

    name: str
    image: Path
    old: Path | None
    new: Path


@dataclass(frozen=True, slots=True)
class MetricResult:
    """A result and what it was held against."""

    new: dict[str, float]
    old: dict[str, float] | None
    reference: Reference
    tolerance: float
    classes: tuple[ClassScore, ...]
    images: int
    seconds: float
    samples: tuple[Sample, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values; JSON has no NaN."""
        return {key: _plain(value) for key, value in asdict(self).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, Path):
        return str(value)
    return None if isinstance(value, float) and math.isnan(value) else value


def check_answer(answer: Answer, config: Path | str) -> None:
    """Raise what went wrong in the other process, if something did.

    Raises:
        DataSetError, ConfigError, MissingSoftwareError, TargetMismatchError, EvaluationError
    """
    if answer.get("ok"):
        return
    reason, hint = safe_text(str(answer.get("reason"))), safe_text(str(answer.get("hint") or ""))
    if answer.get("kind") == "config":
        raise ConfigError(config, reason, hint=hint)
    kinds = {
        "data": DataSetError,
        "classes": DataSetError,
        "missing": MissingSoftwareError,
        "weights": TargetMismatchError,
    }
    raise kinds.get(str(answer.get("kind")), EvaluationError)(reason, hint=hint)


def judge_metric(
    new: Answer, old: Answer | None, reference: Reference, tolerance: float
) -> tuple[Verdict, MetricResult]:
    """Hold a result against the old release's, or against what else is known.

    Args:
        new: what the current release answered about the new file.
        old: what the old release answered about the old file, on the same images.
        reference: the outcome of `choose_reference`; of kind `legacy` where `old` is given.
        tolerance: of mIoU, in percent; nothing where `old` is given.
    """
    result = MetricResult(
        new=metrics_of(new),
        old=metrics_of(old) if old is not None else None,
        reference=reference,
        tolerance=tolerance if old is None else 0.0,
        classes=tuple(_class_scores(new, old)),
        images=int(new["images"]),
        seconds=float(new["seconds"]),
        samples=tuple(_samples(new, old)),
    )
    if old is not None:
        return _against_release(new, old, result), result
    return _against_number(result), result


def same_digits(one: Answer, other: Answer) -> bool:
    """Whether two results agree in every digit that is printed, of every class."""
    return not _different_metrics(one, other) and not _different_classes(one, other)


def _against_release(new: Answer, old: Answer, result: MetricResult) -> Verdict:
    wrong = [*_different_metrics(new, old), *_different_classes(new, old)]
    pixels = _different_pixels(new, old)
    if wrong and not (pixels == 0 and _rounded_alike(new, old)):
        mine, theirs = (metrics_of(a).get(METRIC, math.nan) for a in (new, old))
        wrong += _different_inputs(new, old)
        said = f"mIoU {mine:.2f} where {result.reference.source} has {theirs:.2f}"
        return failed(Rung.METRIC, f"{said}, on {_images(result)}", wrong[:MOST_LINES])
    numbers = ", ".join(f"{name} {value:.2f}" for name, value in result.new.items())
    note = f"; areas differ by {pixels:.0f} pixels" if pixels else ", to the pixel"
    return passed(
        Rung.METRIC,
        f"{numbers} on {_images(result)}: every digit, and each of {len(result.classes)} classes, "
        f"is that of {result.reference.source}{note}",
    )


def _different_metrics(new: Answer, old: Answer) -> list[str]:
    mine, theirs = metrics_of(new), metrics_of(old)
    return [
        f"{name}: {theirs.get(name, math.nan):.2f} in the old release, {mine.get(name):.2f} now"
        if name in mine
        else f"{name}: not computed now"
        for name in dict.fromkeys([*theirs, *mine, METRIC])
        if not (name in mine and name in theirs and mine[name] == theirs[name])
    ]


def _different_classes(new: Answer, old: Answer) -> list[str]:
    if new["images"] != old["images"]:
        return [f"{old['images']} images in the old release, {new['images']} now"]
    if _names(new) != _names(old):
        return ["the two releases name the classes differently"]
    return [
        f"{safe_text(b['name'])}: {key} {_text(a.get(key))} in the old release, {_text(b.get(key))} now"
        for b, a in _pairs(new, old)
        for key in PRINTED
        if a.get(key) != b.get(key)
    ]


def _pairs(new: Answer, old: Answer) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    return list(zip(new["classes"], old["classes"], strict=False))


def _different_pixels(new: Answer, old: Answer) -> float:
    """The sum over the classes; NaN where they cannot be compared."""
    if new["images"] != old["images"] or _names(new) != _names(old):
        return math.nan
    return sum(
        max(abs(to_float(one[key]) - to_float(other[key])) for key in AREAS)
        for one, other in _pairs(new, old)
    )


def _names(answer: Answer) -> list[str]:
    return [str(entry["name"]) for entry in answer["classes"]]


def _rounded_alike(new: Answer, old: Answer) -> bool:
    """Equal areas, and a digit that numpy rounds up in single precision, down in double."""
    mine, theirs = metrics_of(new), metrics_of(old)
    return mine.keys() == theirs.keys() and all(
        abs(mine.get(name, math.nan) - theirs.get(name, math.nan)) <= LAST_DIGIT for name in {*theirs, METRIC}
    )


def _different_inputs(new: Answer, old: Answer) -> list[str]:
    """Another decoder of images gives other pixels, and no code of ours has to do with it."""
    digests = new.get("inputs_crc32"), old.get("inputs_crc32")
    if None in digests or digests[0] == digests[1]:
        return []
    versions = (dict(answer.get("versions") or {}).get("cv2", "?") for answer in (old, new))
    return [f"the models were given different pixels (OpenCV {', now '.join(versions)})"]


def _against_number(result: MetricResult) -> Verdict:
    mine, reference = result.new.get(METRIC, math.nan), result.reference
    here = f"mIoU {mine:.2f} on {_images(result)}"
    if reference.kind == "none" or METRIC not in reference.metrics:
        return skipped(Rung.METRIC, f"{here}, and nothing to hold it against: {reference.source}")
    theirs = reference.metrics[METRIC]
    said = f"{theirs:g} {_KINDS[reference.kind]}"
    if not abs(mine - theirs) <= result.tolerance + ROUNDING:
        notes = [
            f"{theirs:g}: {safe_text(reference.source)}",
            *(["the zoo may have rounded it to one digit"] if reference.coarse else []),
        ]
        far = f"which is not within {result.tolerance:g} of it"
        return failed(Rung.METRIC, f"{here}; {said}, {far}", notes)
    source = safe_text(reference.source)
    return passed(Rung.METRIC, f"{here}; {said} ({source}), within {result.tolerance:g}")


_KINDS = {"recorded": "was recorded", "expected": "is expected", "zoo": "is the zoo's"}


def _images(result: MetricResult) -> str:
    return f"{result.images} image{'' if result.images == 1 else 's'}"


def _text(value: float | None) -> str:
    return "absent" if value is None else f"{value:.2f}"


def _class_scores(new: Answer, old: Answer | None) -> list[ClassScore]:
    known = {c["name"]: to_float(c.get("IoU")) for c in old["classes"]} if old is not None else {}
    return [ClassScore(str(c["name"]), known.get(c["name"]), to_float(c.get("IoU"))) for c in new["classes"]]


def _samples(new: Answer, old: Answer | None) -> list[Sample]:
    theirs = {s["name"]: Path(s["prediction"]) for s in (old or {}).get("samples", ())}
    return [
        Sample(s["name"], Path(s["image"]), theirs.get(s["name"]), Path(s["prediction"]))
        for s in new.get("samples", ())
    ]
