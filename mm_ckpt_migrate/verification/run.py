"""`verify`: what the command of this name does, with the same arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from mm_ckpt_migrate.errors import ConfigError
from mm_ckpt_migrate.options import EMBEDDED, Options
from mm_ckpt_migrate.report import Rung, skipped
from mm_ckpt_migrate.ruleset.library import Library, load_rules
from mm_ckpt_migrate.target_config import TargetConfig, open_target, read_target_config
from mm_ckpt_migrate.verification import measured, static
from mm_ckpt_migrate.verification.files import Files, open_files, palette
from mm_ckpt_migrate.verification.options import VerifyOptions
from mm_ckpt_migrate.verification.release import open_releases
from mm_ckpt_migrate.verification.result import Verification

_SHOWN: Final = 20


def _no_progress(name: str, event: Mapping[str, Any]) -> None:
    """Tell nobody."""


def verify(
    new: Path,
    cfg: str,
    options: VerifyOptions,
    *,
    progress: measured.Progress = _no_progress,
    report: Callable[[Verification], None] | None = None,
) -> Verification:
    """Climb the ladder of proof with a migrated file.

    Args:
        cfg: the target config, as for `convert`; `embedded` is the one inside `new`.
        progress: told which release evaluates, and how far it is.
        report: called with the result while the pictures that it names are still there.

    Raises:
        CheckpointError: a file is damaged or no checkpoint.
        FamilyError, PlanError: what was done to the file is not known, or its stamp is no stamp.
        ConfigError, MissingSoftwareError: a model cannot be built or run.
        DataSetError, RecordError, EvaluationError: the metric cannot be measured.
    """
    library = load_rules(options.rules)
    with ExitStack() as stack:
        files = open_files(stack, new, options.source, library)
        config, missing = _target_config(cfg, files, library)
        if config is None:
            found = _without_model(files, options, missing)
            if report is not None:
                report(found)
            return found
        build = Options(allow_imports=options.allow_imports, cache=options.cache)
        target = stack.enter_context(open_target(config, build))
        releases = open_releases(stack, files, config, options)
        model = target.schema()
        keys, odd = static.keys(files, target)
        verdicts = [static.integrity(files, model), keys, static.roles(files)]
        outputs, measured_outputs = measured.forward(files, releases, options)
        resumed, measured_losses = measured.resume(files, releases, config)
        score, measured_score = measured.metric(files, releases, options, progress)
        found = Verification(
            str(new), str(options.source) if options.source else None, str(config.origin),
            files.rules.family, files.digest, files.source_digest, files.plan,
            palette(files.output), releases.new.process.versions(), releases.old_versions,
            (*verdicts, outputs, resumed, score),
            measured_outputs, measured_losses, measured_score,
            (*_notices(files), *odd[:_SHOWN]), options.required,
        )  # fmt: skip
        if report is not None:
            report(found)
        return found


def _target_config(cfg: str, files: Files, library: Library) -> tuple[TargetConfig | None, str]:
    """The config; or None and the reason, where some rungs can be climbed without a model.

    Raises:
        ConfigError: the config that was asked for is missing or unreadable.
    """
    try:
        return read_target_config(cfg, files.output, library.families), ""
    except ConfigError as error:
        if cfg != EMBEDDED or files.source is None:
            raise
        return None, f"there is no config to build a model from (--cfg): {error.reason}"


def _without_model(files: Files, options: VerifyOptions, reason: str) -> Verification:
    """What the files alone tell."""
    verdicts = (
        static.integrity(files, None), skipped(Rung.KEYS, reason), static.roles(files),
        *(skipped(rung, reason) for rung in (Rung.FORWARD, Rung.RESUME, Rung.METRIC)),
    )  # fmt: skip
    return Verification(
        file=str(files.output.source.path),
        source=str(options.source),
        config="none",
        family=files.rules.family,
        sha256=files.digest,
        source_sha256=files.source_digest,
        plan=files.plan,
        palette=palette(files.output),
        versions={},
        old_versions=None,
        verdicts=verdicts,
        forward=None,
        resume=None,
        metric=None,
        notices=_notices(files),
        required=options.required,
    )


def _notices(files: Files) -> tuple[str, ...]:
    if files.output.stamp is None:
        return ("the file bears no stamp, so its plan is the one that the rules make now",)
    return ()
