"""What a metric is held against: the strongest evidence that there is.

In this order: what the old release computes on the same images, what an earlier run recorded, what
the user expects, and what the zoo said of the old file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

from mm_ckpt_migrate.errors import ExitCode, MigrateError
from mm_ckpt_migrate.files.archive.publish import publish_bytes
from mm_ckpt_migrate.zoo.entries import FULL_SETS, ZooEntry, old_entry

METRIC: Final = "mIoU"
TOLERANCE: Final = 0.01
FORMAT: Final = "mm-ckpt-migrate metric 1"

Kind = Literal["legacy", "recorded", "expected", "zoo", "none"]
Answer = Mapping[str, Any]
"""What `releases/probe/evaluate.py` answered."""


class RecordError(MigrateError):
    """A recorded result cannot be read, or was measured on something else."""

    exit_code: ClassVar[ExitCode] = ExitCode.USAGE

    def __init__(self, path: Path | str, reason: str, *, hint: str = "") -> None:
        super().__init__(f"{path}: {reason}", hint=hint)
        self.path = path
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Reference:
    """What is known of the old file's metrics.

    Attributes:
        kind: where it comes from; `none` where nothing is known.
        source: where exactly, or why nothing is known.
        metrics: in percent; NaN where no class was there.
        coarse: whether the source gives one digit after the point only, as far as one can tell.
    """

    kind: Kind
    source: str
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def coarse(self) -> bool:
        value = self.metrics.get(METRIC, math.nan)
        return self.kind == "zoo" and round(value, 1) == value


def choose_reference(
    new: Answer,
    *,
    old: Answer | None = None,
    recorded: Path | None = None,
    expected: float | None = None,
    names: Sequence[str] = (),
    digests: Sequence[str] = (),
) -> Reference:
    """The strongest reference for a result.

    Args:
        new: the result that will be judged.
        old: the old release's, on the same images.
        recorded: a file that `write_record` wrote.
        expected: an mIoU that the user gives.
        names, digests: of the file and then its source, to find them in the zoo by.

    Raises:
        RecordError: the recorded result is not one, or not of these images.
    """
    if old is not None:
        release = _versions(old).get("mmseg", "of unknown version")
        return Reference("legacy", f"mmsegmentation {release}", metrics_of(old))
    if recorded is not None:
        return Reference("recorded", str(recorded), metrics_of(read_record(recorded, new)))
    if expected is not None:
        return Reference("expected", "as given", {METRIC: expected})
    entry = old_entry(names, digests)
    if entry is None:
        return Reference("none", "no result of the old file is known")
    return _of_zoo(entry, new)


def _of_zoo(entry: ZooEntry, new: Answer) -> Reference:
    """The old entry's number, if it was measured on what was measured here."""
    if METRIC not in entry.old_metrics:
        return Reference("none", f"the zoo states no {METRIC} of {entry.old_file}")
    said = f"the zoo's {entry.old_metrics[METRIC]:g} of {entry.old_file}"
    dataset, size = FULL_SETS[entry.dataset]
    if (new["dataset"], new["images"]) != (dataset, size):
        tested = f"{new['images']} of {new['dataset']} were tested"
        return Reference("none", f"{said} is for all {size} images of {entry.dataset}; {tested}")
    return Reference("zoo", entry.old_file, dict(entry.old_metrics))


def metrics_of(answer: Answer) -> dict[str, float]:
    """An answer's metrics, with NaN where it has null."""
    return {str(key): to_float(value) for key, value in answer["metrics"].items()}


def to_float(value: float | None) -> float:
    """A number of an answer; JSON has no NaN."""
    return math.nan if value is None else float(value)


def _versions(answer: Answer) -> dict[str, str]:
    return dict(answer.get("versions") or {})


def write_record(path: Path, answer: Answer) -> None:
    """Keep a result, for a later run to be held against; raises DestinationError."""
    kept = {key: value for key, value in answer.items() if key not in ("ok", "samples")}
    text = json.dumps({"format": FORMAT, **kept}, indent=1, allow_nan=False)
    publish_bytes(path, f"{text}\n".encode(), force=True)


def read_record(path: Path, new: Answer) -> dict[str, Any]:
    """A recorded result of the images that `new` is of.

    Raises:
        RecordError: it is not one, or not of these images.
    """
    if not path.is_file():  # a pipe would be waited for
        raise RecordError(path, "cannot be read as a recorded result: it is no file, or not there")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError(path, f"cannot be read as a recorded result: {error}") from None
    if not _is_record(content):
        raise RecordError(path, f"is not a recorded result ({FORMAT!r})")
    for name in ("dataset", "images"):
        if content.get(name) != new.get(name):
            said = f"{content.get(name)}, not of {new.get(name)}"
            raise RecordError(path, f"is a result of another data set: {name} {said}")
    return dict(content)


def _is_record(content: object) -> bool:
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        return False
    metrics = content.get("metrics")
    return isinstance(metrics, dict) and all(
        value is None or isinstance(value, (int, float)) for value in metrics.values()
    )
