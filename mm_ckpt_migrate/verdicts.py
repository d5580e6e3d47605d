"""Verdicts, one per rung of the ladder of proof, and the report they make up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from mm_ckpt_migrate.errors import ExitCode


class Rung(str, Enum):
    """The ladder of proof, weakest first."""

    INTEGRITY = "integrity"
    KEYS = "keys"
    ROLES = "roles"
    FORWARD = "forward"
    RESUME = "resume"
    METRIC = "metric"


class Status(str, Enum):
    """A skipped rung never counts as passed."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one rung found.

    Attributes:
        summary: one line: the evidence, or why the rung was skipped.
        details: further lines, such as each mismatch.
    """

    rung: Rung
    status: Status
    summary: str
    details: tuple[str, ...] = ()


def passed(rung: Rung, summary: str, details: Sequence[str] = ()) -> Verdict:
    return Verdict(rung, Status.PASS, summary, tuple(details))


def failed(rung: Rung, summary: str, details: Sequence[str] = ()) -> Verdict:
    return Verdict(rung, Status.FAIL, summary, tuple(details))


def skipped(rung: Rung, summary: str) -> Verdict:
    return Verdict(rung, Status.SKIPPED, summary)


_EXIT_CODES = {
    Rung.INTEGRITY: ExitCode.INTEGRITY_FAILED,
    Rung.KEYS: ExitCode.KEYS_FAILED,
    Rung.ROLES: ExitCode.ROLES_FAILED,
    Rung.FORWARD: ExitCode.FORWARD_FAILED,
    Rung.RESUME: ExitCode.RESUME_FAILED,
    Rung.METRIC: ExitCode.METRIC_FAILED,
}


def rung_code(rung: Rung) -> ExitCode:
    """What a failed rung ends the program with."""
    return _EXIT_CODES[rung]


def exit_code(verdicts: Sequence[Verdict]) -> ExitCode:
    """The code of the first failed rung, or OK."""
    for rung in Rung:
        if any(v.rung is rung and v.status is Status.FAIL for v in verdicts):
            return _EXIT_CODES[rung]
    return ExitCode.OK


def may_publish(verdicts: Sequence[Verdict]) -> bool:
    """Whether a file with these verdicts may appear: a forced family fails its roles, and does."""
    return all(v.status is not Status.FAIL or v.rung is Rung.ROLES for v in verdicts)


@dataclass(frozen=True, slots=True)
class ConvertReport:
    """What `convert` or `plan` did, and what was proven.

    Attributes:
        destination: the file that was made; None where none was.
        moved, kept, dropped: how many keys the plan renames, leaves, and drops.
        plan_digest: SHA-256 of the plan; empty where there was nothing to do.
        source_digest, result_digest: SHA-256 of the source and of the new file; empty where it was
            not computed.
        notices: what the user should know, one sentence each.
    """

    source: str
    destination: str | None
    family: str
    moved: int
    kept: int
    dropped: int
    plan_digest: str
    source_digest: str
    verdicts: tuple[Verdict, ...]
    notices: tuple[str, ...]
    result_digest: str = ""

    @property
    def exit_code(self) -> ExitCode:
        return exit_code(self.verdicts)

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"exit_code": int(self.exit_code)}


def strict(value: Any) -> Any:
    """The same as values that JSON has.

    JSON has no NaN and no infinity: they are the texts "NaN", "Infinity" and "-Infinity", which
    `float()` reads.
    """
    if isinstance(value, Mapping):
        return {name: strict(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [strict(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{'-' * (value < 0)}Infinity"
    return value
