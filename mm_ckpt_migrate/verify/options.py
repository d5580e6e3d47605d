"""What a verification may be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mm_ckpt_migrate.files.archive.outputs import Output
from mm_ckpt_migrate.verdicts import Rung
from mm_ckpt_migrate.verify.reference import TOLERANCE


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """Options of `verify`.

    Attributes:
        source: the old file.
        legacy: which environment with an old release to use: a name, `auto` for any that is
            there, or None for none.
        legacy_python: an interpreter with an old release, instead.
        reference: raw outputs of the old release, recorded earlier.
        record: where to write the old release's raw outputs, for such a use.
        evaluate: climb to the metric rung.
        data_root: replaces the data set's root in the config.
        limit: evaluate the first images only.
        against_legacy: have the old release evaluate the old file, too; None: where it is at
            hand, and no other reference was given.
        recorded: a result of an earlier evaluation.
        record_metric: where to write this one's.
        expected: the mIoU that the old file has, in percent.
        tolerance: of mIoU, where it is held against a number.
        samples: how many images to keep for the report.
        launcher: mmengine's, when several processes evaluate together; there is no wall around
            these.
        workers: processes that load for each of them, two if not said; without a launcher one
            process does all.
        budget: seconds to look for tensors that no output sees.
        allow_unconfined: build and run the configs inside the files even where the system cannot
            confine the code that does.
        required: rungs that must not be skipped.
        force: replace files that exist.
        rules: rule files beside the installed ones.
        pages: what the caller will write of the result, so that it can be judged before any work.
    """

    source: Path | None = None
    legacy: str | None = "auto"
    legacy_python: Path | None = None
    reference: Path | None = None
    record: Path | None = None
    evaluate: bool = False
    data_root: Path | None = None
    device: str = "cpu"
    workers: int | None = None
    limit: int | None = None
    against_legacy: bool | None = None
    recorded: Path | None = None
    record_metric: Path | None = None
    expected: float | None = None
    tolerance: float = TOLERANCE
    samples: int = 0
    launcher: str = "none"
    budget: float = 60.0
    required: tuple[Rung, ...] = ()
    allow_imports: tuple[str, ...] = ()
    allow_unconfined: bool = False
    cache: bool = True
    force: bool = False
    rules: tuple[Path, ...] = ()
    pages: Sequence[Output] = ()
