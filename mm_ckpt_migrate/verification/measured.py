"""The rungs that run both releases: forward and metric."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from mm_ckpt_migrate.report import Rung, Verdict, skipped
from mm_ckpt_migrate.target_config import TargetConfig
from mm_ckpt_migrate.verification.files import Files
from mm_ckpt_migrate.verification.options import VerifyOptions
from mm_ckpt_migrate.verification.release import Releases, require_old
from mm_ckpt_migrate.verify.forward import ForwardResult, check_forward, control_names
from mm_ckpt_migrate.verify.measure import Recorded
from mm_ckpt_migrate.verify.metric import MetricResult, check_answer, judge_metric
from mm_ckpt_migrate.verify.outputs import Image, Side, record_outputs
from mm_ckpt_migrate.verify.reference import choose_reference, write_record
from mm_ckpt_migrate.verify.resume import ResumeResult, check_resume

Progress: TypeAlias = Callable[[str, Mapping[str, Any]], None]
Answer: TypeAlias = dict[str, Any]


def forward(
    files: Files, releases: Releases, options: VerifyOptions
) -> tuple[Verdict, ForwardResult | None]:
    """Raw outputs of both releases, or of the current one and a record of the old one's.

    Raises:
        MissingSoftwareError, CheckpointError, ConfigError: a model cannot be built or run.
        DestinationError: the record cannot be written.
    """
    if options.record is not None:
        old = require_old(releases, "--record")
        record_outputs(
            old, Image(), options.record, releases.old_versions or {}, force=options.force
        )
    other: Side | Recorded | None = releases.old
    if options.reference is not None:
        other = Recorded(options.reference)
    if other is None:
        return skipped(Rung.FORWARD, releases.no_old), None
    if files.plan is None:
        return skipped(Rung.FORWARD, "how it was made is not known: it bears no stamp"), None
    control = _control(files)
    return check_forward(
        other,
        releases.new,
        control,
        mistake=files.rules.last.mistake,
        plan=files.plan,
        budget=options.budget,
    )


def _control(files: Files) -> dict[str, str]:
    """New names under the right rules, to new names under the family's deliberate error."""
    from mm_ckpt_migrate.plan import invert, migrated_schema, without_dropped

    assert files.plan is not None
    old = migrated_schema(invert(without_dropped(files.plan)), files.output.schema)
    return control_names(old, files.rules)


def resume(
    files: Files, releases: Releases, target: TargetConfig
) -> tuple[Verdict, ResumeResult | None]:
    """The next steps of the training, in both releases.

    Raises:
        MissingSoftwareError, CheckpointError, ConfigError: a training cannot be resumed.
    """
    if "optimizer" not in files.output.sections:
        return skipped(Rung.RESUME, "the file holds no training state"), None
    if releases.old is None or files.old_config is None or files.source is None:
        return skipped(Rung.RESUME, releases.no_old), None
    if "optimizer" not in files.source.sections:
        return skipped(Rung.RESUME, "the old file holds no training state"), None
    return check_resume(releases.old, releases.new, files.old_config, target.config)


def metric(
    files: Files, releases: Releases, options: VerifyOptions, progress: Progress
) -> tuple[Verdict, MetricResult | None]:
    """mmseg's own test loop over the config's test set, in the current release and the old one.

    Raises:
        DataSetError: the data set is missing or not what it should be.
        ConfigError, MissingSoftwareError, TargetMismatchError, EvaluationError: it cannot run.
        RecordError: the recorded result is none, or of other images.
    """
    if not options.evaluate:
        return skipped(Rung.METRIC, "not asked for (--eval)"), None
    old: Answer | None = None
    if _asks_old(releases, options):
        side = require_old(releases, "--against legacy")
        assert releases.old_config is not None
        old = _evaluate("old release", side, releases.old_config, options, progress)
    new = _evaluate("current release", releases.new, releases.new_config, options, progress)
    if options.record_metric is not None:
        write_record(options.record_metric, old or new)
    digests = [files.digest, *(filter(None, (files.source_digest, _first(files))))]
    names = [files.output.source.path.name]
    names += [files.source.source.path.name] if files.source else []
    reference = choose_reference(
        new, old=old, recorded=options.recorded, expected=options.expected,
        names=names, digests=digests,
    )  # fmt: skip
    return judge_metric(new, old, reference, options.tolerance)


def _asks_old(releases: Releases, options: VerifyOptions) -> bool:
    if options.against_legacy is not None:
        return options.against_legacy
    return releases.old is not None and options.recorded is None and options.expected is None


def _first(files: Files) -> str:
    return files.origin.sha256 if files.origin else ""


def _evaluate(
    name: str, side: Side, config: Path, options: VerifyOptions, progress: Progress
) -> Answer:
    out = side.process.folder / "evaluation"
    request = {
        "do": "evaluate", "config": str(config), "checkpoint": str(side.file.absolute()),
        "data_root": str(options.data_root.absolute()) if options.data_root else None,
        "device": options.device, "workers": options.workers, "limit": options.limit,
        "samples": options.samples, "launcher": options.launcher, "out": str(out),
    }  # fmt: skip
    answer = side.process.ask(request, lambda event: progress(name, event))
    check_answer(answer, side.model.source)
    return answer
