"""A verification as the data of a report page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mm_ckpt_migrate import __version__
from mm_ckpt_migrate.pages.data import ForwardData, MetricData, ReportData
from mm_ckpt_migrate.pages.folding import fold_renames
from mm_ckpt_migrate.verify.reference import METRIC
from mm_ckpt_migrate.verify.result import Verification
from mm_ckpt_migrate.verify.rungs.forward import TOLERANCE, ForwardResult
from mm_ckpt_migrate.verify.rungs.metric import MetricResult

# What a scatter plot shows: more points make the page heavy, and look the same.
_SHOWN_POINTS: Final = 2000


def report_data(found: Verification, command: tuple[str, ...]) -> ReportData:
    """The data of the report page; `command` makes it again."""
    table = found.plan.table if found.plan else {}
    return ReportData(
        file=found.file,
        family=found.family,
        sha256=found.sha256,
        verdicts=found.verdicts,
        source=found.source,
        source_sha256=found.source_sha256,
        config=found.config,
        renames=fold_renames(table),
        kept=sum(old == new for old, new in table.items()) if table else None,
        versions=dict(found.versions),
        old_versions=dict(found.old_versions) if found.old_versions else None,
        forward=_forward(found.forward) if found.forward else None,
        metric=_metric(found.metric, found.palette) if found.metric else None,
        notices=found.notices,
        required=found.required,
        command=command,
        tool=f"mm-ckpt-migrate {__version__}",
    )


def _forward(result: ForwardResult) -> ForwardData:
    return ForwardData(
        differences=result.differences,
        differences64=result.differences64,
        control=result.control,
        repeats=result.repeats,
        alive=result.alive,
        unseen=result.unseen,
        first_module=result.first_module,
        scatter=result.scatter[:_SHOWN_POINTS],
        reaches=result.reaches,
        untried=result.untried,
        tensors=result.tensors,
        tolerance=TOLERANCE if result.recorded else 0.0,
        against="the old release's recorded outputs" if result.recorded else "the old release",
    )


def _metric(result: MetricResult, palette: tuple[tuple[int, int, int], ...]) -> MetricData:
    return MetricData(
        new=_leading(result.new),
        old=_leading(result.old) if result.old else None,
        reference=result.reference,
        tolerance=result.tolerance,
        classes=result.classes,
        images=result.images,
        seconds=result.seconds,
        samples=result.samples,
        palette=palette,
    )


def _leading(metrics: Mapping[str, float]) -> dict[str, float]:
    """The metric that is judged, and then the others."""
    return {name: metrics[name] for name in sorted(metrics, key=lambda name: name != METRIC)}
