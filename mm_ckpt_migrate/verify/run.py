"""`verify`: what the command of this name does, with the same arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mm_ckpt_migrate.convert.options import EMBEDDED, Options
from mm_ckpt_migrate.convert.target_config import TargetConfig, open_target, read_target_config
from mm_ckpt_migrate.errors import ConfigError, MigrateError
from mm_ckpt_migrate.files.archive.published import all_or_none
from mm_ckpt_migrate.mapping.rules.library import load_rules
from mm_ckpt_migrate.releases.current.resolve import Target
from mm_ckpt_migrate.releases.old.environment import LegacyEnvironment
from mm_ckpt_migrate.releases.refusals import notice
from mm_ckpt_migrate.schema import TargetModel
from mm_ckpt_migrate.verdicts import Rung
from mm_ckpt_migrate.verify import written
from mm_ckpt_migrate.verify.files import Files, open_files, palette
from mm_ckpt_migrate.verify.ladder import Ladder
from mm_ckpt_migrate.verify.options import VerifyOptions
from mm_ckpt_migrate.verify.result import Verification
from mm_ckpt_migrate.verify.rungs import metric_rung, running_rungs, static_rungs
from mm_ckpt_migrate.verify.rungs.forward import ForwardResult
from mm_ckpt_migrate.verify.rungs.metric import MetricResult
from mm_ckpt_migrate.verify.rungs.metric_rung import Progress
from mm_ckpt_migrate.verify.rungs.resume import ResumeResult
from mm_ckpt_migrate.verify.sides import Releases, find_old_release, open_releases, require_device

_SHOWN: Final = 20
_RUNNING: Final = (Rung.KEYS, Rung.FORWARD, Rung.RESUME, Rung.METRIC)


@dataclass(frozen=True, slots=True)
class _Models:
    """What can be built and run."""

    config: TargetConfig
    target: Target
    releases: Releases

    def schema(self) -> TargetModel | None:
        with suppress(MigrateError):
            return self.target.schema()
        return None

    def unconfined(self) -> tuple[str, ...]:
        """Where one was built or run without a wall, and why."""
        old = self.releases.old
        processes = [self.releases.new.process, *([old.process] if old else [])]
        reasons = [self.target.unconfined, *(process.unconfined for process in processes)]
        return tuple(notice(reason) for reason in dict.fromkeys(reasons) if reason)

    def versions(self) -> dict[str, str]:
        """Of the current release; none where it does not work."""
        with suppress(MigrateError):
            return self.releases.new.process.versions()
        return {}


def _no_progress(name: str, event: Mapping[str, Any]) -> None:
    """Tell nobody."""


def verify(
    new: Path,
    cfg: str,
    options: VerifyOptions,
    *,
    progress: Progress = _no_progress,
    report: Callable[[Verification], None] | None = None,
) -> Verification:
    """Climb the ladder of proof with a migrated file.

    A rung that cannot be climbed is skipped with the reason. Where an error is the reason, it
    decides on the exit code, unless a rung failed.

    Args:
        cfg: the target config, as for `convert`; `embedded` is the one inside `new`.
        progress: told which release evaluates, and how far it is.
        report: called with the result while the pictures that it names are still there.

    Raises:
        CheckpointError: a file is damaged or no checkpoint.
        FamilyError, PlanError: what was done to the file is not known, or its stamp is no stamp.
        ConfigError: the config that was named cannot be read.
        MissingSoftwareError: the old release that was named is not there, or the device.
        DestinationError: a recording or the report must not or cannot be written.
    """
    swept = written.check(new, cfg, options)
    library = load_rules(options.rules)
    environment = find_old_release(options)
    require_device(options.device)
    ladder = Ladder()
    with all_or_none(), ExitStack() as stack:
        files = open_files(stack, new, options.source, library)
        models: _Models | None = None
        try:
            config = read_target_config(cfg, files.output, library.families)
            models = _open_models(stack, files, config, options, environment)
        except ConfigError as error:
            if cfg != EMBEDDED:
                raise
            _stop_models(ladder, files, options, error)
        measures = _climb(ladder, files, models, options, progress)
        found = _found(new, cfg, options, files, models, ladder, measures, swept)
        if report is not None:
            report(found)
        return found


@dataclass(frozen=True, slots=True)
class _Measures:
    """What stands behind the verdicts, as far as it was measured.

    Attributes:
        odd: values in the file that no training should leave.
    """

    odd: tuple[str, ...] = ()
    forward: ForwardResult | None = None
    resume: ResumeResult | None = None
    metric: MetricResult | None = None


def _open_models(
    stack: ExitStack,
    files: Files,
    config: TargetConfig,
    options: VerifyOptions,
    environment: LegacyEnvironment | None,
) -> _Models:
    build = Options(
        allow_imports=options.allow_imports, allow_unconfined=options.allow_unconfined, cache=options.cache
    )
    target = stack.enter_context(open_target(config, build))
    return _Models(config, target, open_releases(stack, files, config, options, environment))


def _found(
    new: Path,
    cfg: str,
    options: VerifyOptions,
    files: Files,
    models: _Models | None,
    ladder: Ladder,
    measures: _Measures,
    swept: tuple[str, ...],
) -> Verification:
    return Verification(
        file=str(new),
        source=str(options.source) if options.source else None,
        config=str(models.config.origin) if models else cfg,
        family=files.rules.family,
        sha256=files.digest,
        source_sha256=files.source_digest,
        plan=files.plan,
        palette=palette(files.output),
        versions=models.versions() if models else {},
        old_versions=models.releases.old_versions if models else None,
        verdicts=ladder.verdicts,
        forward=measures.forward,
        resume=measures.resume,
        metric=measures.metric,
        notices=(*_notices(files), *(models.unconfined() if models else ()), *measures.odd[:_SHOWN], *swept),
        required=options.required,
        fault=ladder.fault,
    )


def _stop_models(ladder: Ladder, files: Files, options: VerifyOptions, error: ConfigError) -> None:
    """Skip all rungs that need a model, as none can be built.

    A file for inference may well hold no config. It is a fault where there is one, of no use, where
    a rung was asked for by an option of its own, and where without the old file nothing is told.
    """
    there = files.output.config is not None
    if not there:
        reason = f"there is no config to build a model from (--cfg): {error.reason}"
        error = ConfigError(error.path, reason)
    outputs = options.reference is not None or options.record is not None
    asked = {Rung.METRIC: options.evaluate, Rung.FORWARD: outputs}
    for rung in _RUNNING:
        fault = there or files.source is None or asked.get(rung, False)
        ladder.stop(rung, error, fault=fault)


def _climb(
    ladder: Ladder, files: Files, models: _Models | None, options: VerifyOptions, progress: Progress
) -> _Measures:
    ladder.found[Rung.ROLES] = static_rungs.roles(files)
    if models is None:
        ladder.found[Rung.INTEGRITY] = static_rungs.integrity(files, None)
        return _Measures()
    config, releases = models.config, models.releases
    odd = ladder.climb(Rung.KEYS, lambda: static_rungs.keys(files, models.target))
    schema = models.schema() if odd is not None else None
    ladder.found[Rung.INTEGRITY] = static_rungs.integrity(files, schema)
    forward, resume = running_rungs.forward, running_rungs.resume
    return _Measures(
        odd or (),
        ladder.climb(Rung.FORWARD, lambda: forward(files, releases, config, options)),
        ladder.climb(Rung.RESUME, lambda: resume(files, releases, config)),
        ladder.climb(
            Rung.METRIC,
            lambda: metric_rung.metric(
                files, releases, config.config, options, progress, running_rungs.control(files)
            ),
        ),
    )


def _notices(files: Files) -> tuple[str, ...]:
    if files.output.stamp is None:
        return ("the file bears no stamp, so its plan is the one that the rules make now",)
    return ()
