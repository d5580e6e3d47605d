"""`Verification`: what a verification found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mm_ckpt_migrate.errors import ExitCode, MigrateError
from mm_ckpt_migrate.mapping.plan import Plan
from mm_ckpt_migrate.verdicts import Rung, Status, Verdict, exit_code, rung_code
from mm_ckpt_migrate.verify.rungs.forward import ForwardResult
from mm_ckpt_migrate.verify.rungs.metric import MetricResult
from mm_ckpt_migrate.verify.rungs.resume import ResumeResult


@dataclass(frozen=True, slots=True)
class Verification:
    """The ladder, and the figures behind it.

    Attributes:
        config: what the target config is called.
        palette: the data set's colours, in the order of the labels.
        versions, old_versions: of the two releases; None where the old one did not run.
        required: rungs that must not be skipped.
        fault: an error that kept a rung from being climbed.
    """

    file: str
    source: str | None
    config: str
    family: str
    sha256: str
    source_sha256: str | None
    plan: Plan | None
    palette: tuple[tuple[int, int, int], ...]
    versions: Mapping[str, str]
    old_versions: Mapping[str, str] | None
    verdicts: tuple[Verdict, ...]
    forward: ForwardResult | None
    resume: ResumeResult | None
    metric: MetricResult | None
    notices: tuple[str, ...]
    required: tuple[Rung, ...]
    fault: MigrateError | None = None

    @property
    def missing(self) -> tuple[Rung, ...]:
        """Rungs that were required and skipped."""
        skipped = {v.rung for v in self.verdicts if v.status is Status.SKIPPED}
        return tuple(rung for rung in self.required if rung in skipped)

    @property
    def exit_code(self) -> ExitCode:
        """Of the first rung that failed, or that was required and skipped; or of the fault."""
        code = exit_code(self.verdicts) or next(map(rung_code, self.missing), ExitCode.OK)
        return code or (self.fault.exit_code if self.fault is not None else ExitCode.OK)

    def to_json(self) -> dict[str, Any]:
        plain = {
            name: getattr(self, name)
            for name in (
                "file",
                "source",
                "config",
                "family",
                "sha256",
                "source_sha256",
                "versions",
                "old_versions",
                "notices",
            )
        }
        return {
            **plain,
            "plan_digest": self.plan.digest if self.plan else None,
            "verdicts": [asdict(verdict) for verdict in self.verdicts],
            "forward": asdict(self.forward) if self.forward else None,
            "resume": asdict(self.resume) if self.resume else None,
            "metric": self.metric.to_json() if self.metric else None,
            "required_but_skipped": list(self.missing),
            "error": self.fault.message if self.fault is not None else None,
            "exit_code": int(self.exit_code),
        }
