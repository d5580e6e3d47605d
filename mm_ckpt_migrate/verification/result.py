"""What a verification found, and the same as the data of a report page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from mm_ckpt_migrate import __version__
from mm_ckpt_migrate.errors import ExitCode, MigrateError
from mm_ckpt_migrate.htmlreport import data as page
from mm_ckpt_migrate.htmlreport.folding import fold_renames
from mm_ckpt_migrate.plan import Plan
from mm_ckpt_migrate.report import Rung, Status, Verdict, exit_code, rung_code
from mm_ckpt_migrate.verify.forward import TOLERANCE, ForwardResult
from mm_ckpt_migrate.verify.metric import MetricResult
from mm_ckpt_migrate.verify.reference import METRIC
from mm_ckpt_migrate.verify.resume import ResumeResult

_SHOWN_POINTS: Final = 2000


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
                "file", "source", "config", "family", "sha256", "source_sha256", "versions",
                "old_versions", "notices",
            )
        }  # fmt: skip
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

    def page(self, command: tuple[str, ...]) -> page.ReportData:
        """The data of the report page; `command` makes it again."""
        table = self.plan.table if self.plan else {}
        return page.ReportData(
            file=self.file, family=self.family, sha256=self.sha256, verdicts=self.verdicts,
            source=self.source, source_sha256=self.source_sha256, config=self.config,
            renames=fold_renames(table),
            kept=sum(old == new for old, new in table.items()) if table else None,
            versions=dict(self.versions),
            old_versions=dict(self.old_versions) if self.old_versions else None,
            forward=_forward(self.forward, self.plan) if self.forward else None,
            metric=_metric(self.metric, self.palette) if self.metric else None,
            notices=self.notices, required=self.required, command=command,
            tool=f"mm-ckpt-migrate {__version__}",
        )  # fmt: skip


def _forward(result: ForwardResult, plan: Plan | None) -> page.ForwardData:
    exact = not result.recorded and (plan is None or plan.fold is None)
    return page.ForwardData(
        result.differences, result.differences64,
        result.control, result.repeats, result.alive, result.unseen, result.first_module,
        result.scatter[:_SHOWN_POINTS],
        reaches=result.reaches, untried=result.untried, tensors=result.tensors,
        tolerance=0.0 if exact else TOLERANCE,
        against="the old release's recorded outputs" if result.recorded else "the old release",
    )  # fmt: skip


def _metric(result: MetricResult, palette: tuple[tuple[int, int, int], ...]) -> page.MetricData:
    return page.MetricData(
        _leading(result.new), _leading(result.old) if result.old else None,
        result.reference, result.tolerance, result.classes, result.images,
        seconds=result.seconds, samples=result.samples, palette=palette,
    )  # fmt: skip


def _leading(metrics: Mapping[str, float]) -> dict[str, float]:
    """The metric that is judged, and then the others."""
    return {name: metrics[name] for name in sorted(metrics, key=lambda name: name != METRIC)}
