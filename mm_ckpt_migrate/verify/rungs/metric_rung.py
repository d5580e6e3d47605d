"""The metric rung: both releases evaluate, and the current one with a wrong mapping, too."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeAlias

from mm_ckpt_migrate.configs.values import Config
from mm_ckpt_migrate.errors import ConfigError, MigrateError, TargetMismatchError
from mm_ckpt_migrate.releases.allowed.literal import literal
from mm_ckpt_migrate.releases.allowed.parts import evaluation_config
from mm_ckpt_migrate.verdicts import Rung, Status, Verdict, failed, skipped
from mm_ckpt_migrate.verify.files import Files
from mm_ckpt_migrate.verify.options import VerifyOptions
from mm_ckpt_migrate.verify.raw_outputs import Side
from mm_ckpt_migrate.verify.reference import choose_reference, write_record
from mm_ckpt_migrate.verify.rungs.metric import EvaluationError, MetricResult, check_answer, judge_metric
from mm_ckpt_migrate.verify.rungs.metric_control import MetricControl, proves_nothing
from mm_ckpt_migrate.verify.sides import Releases, require_old

Progress: TypeAlias = Callable[[str, Mapping[str, Any]], None]
Answer: TypeAlias = dict[str, Any]

# Images that the wrong mapping is tried on: it need not be exact, it need only be seen to differ.
_CONTROL_IMAGES: Final = 20
_LOADING: Final = 2  # processes, for each of a launcher's


@dataclass(frozen=True, slots=True)
class _Evaluation:
    """mmseg's own test loop, in either release."""

    options: VerifyOptions
    progress: Progress

    def run(self, name: str, side: Side, config: Config, **more: object) -> Answer:
        """What one release answers; raises as `check_answer`, and ReleaseProcess.receive."""
        options = self.options
        if options.launcher != "none" and side.model.inside:
            raise ConfigError(
                side.model.source,
                "nobody named it, and --launcher evaluates it without a wall",
                hint="Name a config: --cfg FILE (`convert --config-out FILE` writes one); and "
                "--against zoo, as the old file's config is inside it.",
            )
        request = {
            "do": "evaluate",
            "config": literal(evaluation_config(config, side.model), side.model.source),
            "checkpoint": str(side.file.absolute()),
            "data_root": str(options.data_root.absolute()) if options.data_root else None,
            "device": options.device,
            "workers": _workers(options),
            "limit": options.limit,
            "samples": options.samples,
            "launcher": options.launcher,
            "packages": list(side.model.packages),
            "confined": side.model.confined,
            "source": side.model.source,
            **more,
        }
        answer = side.process.ask(request, lambda event: self.progress(name, event))
        check_answer(answer, side.model.source)
        return {**answer, "samples": _saved(answer.get("samples", ()), side.process.folder)}


def _workers(options: VerifyOptions) -> int:
    """Behind the wall there are no processes to load."""
    if options.launcher == "none":
        return 0
    return _LOADING if options.workers is None else options.workers


def _saved(samples: Iterable[Mapping[str, str]], folder: Path) -> list[dict[str, str]]:
    """The pictures as files: the child writes none."""
    found = []
    for number, sample in enumerate(samples):
        paths = {kind: folder / f"{number:02d}_{kind}.png" for kind in ("image", "prediction")}
        for kind, path in paths.items():
            path.write_bytes(b64decode(sample[kind]))
        found.append({"name": sample["name"], **{kind: str(path) for kind, path in paths.items()}})
    return found


def metric(
    files: Files,
    releases: Releases,
    config: Config,
    options: VerifyOptions,
    progress: Progress,
    control: Mapping[str, str],
) -> tuple[Verdict, MetricResult | None]:
    """mmseg's own test loop over the config's test set, in the current release and the old one.

    Args:
        control: new names to the new names of the family's deliberate error; empty where it is
            not known.

    Raises:
        DataSetError: the data set is missing or not what it should be.
        ConfigError, MissingSoftwareError, TargetMismatchError, EvaluationError: it cannot run.
        RecordError: the recorded result is none, or of other images.
    """
    if not options.evaluate:
        return skipped(Rung.METRIC, "not asked for (--eval)"), None
    evaluation = _Evaluation(options, progress)
    old, no_old = _old_answer(files, releases, evaluation)
    try:
        new = evaluation.run("current release", releases.new, config)
    except (ConfigError, EvaluationError, TargetMismatchError) as error:
        if old is None:
            raise
        reason = "the old release can evaluate its file, the current one cannot"
        return failed(Rung.METRIC, f"{reason}: {error.message}"), None
    if options.record_metric is not None:
        write_record(options.record_metric, old or new)
    digests = [files.digest, *(filter(None, (files.source_digest, _first(files))))]
    names = [files.output.source.path.name]
    names += [files.source.source.path.name] if files.source else []
    reference = choose_reference(
        new, old=old, recorded=options.recorded, expected=options.expected, names=names, digests=digests
    )
    # Before anything is judged: of several processes each must come to the same evaluations.
    tried = _try_control(files, releases, config, evaluation, new, control)
    verdict, result = judge_metric(new, old, reference, options.tolerance)
    if verdict.status is Status.PASS:
        verdict = _controlled(verdict, proves_nothing(new, tried, result.tolerance), tried)
    return replace(verdict, details=(*verdict.details, *no_old)), result


def _controlled(verdict: Verdict, fault: str, tried: MetricControl | None) -> Verdict:
    if fault:
        return skipped(verdict.rung, f"{fault}: {verdict.summary}")
    return replace(verdict, details=(*verdict.details, *(tried.lines() if tried else ())))


def _old_answer(
    files: Files, releases: Releases, evaluation: _Evaluation
) -> tuple[Answer | None, tuple[str, ...]]:
    """The old release's result, where it is asked; else why there is none, if that is a failure.

    Raises:
        MissingSoftwareError, DataSetError, ConfigError, EvaluationError: it was asked for by name,
            and cannot be had.
    """
    options = evaluation.options
    asked = options.against_legacy
    if asked is None:
        known = options.recorded is not None or options.expected is not None
        asked = releases.old is not None and not known and options.launcher == "none"
    if not asked:
        return None, ()
    side = require_old(releases, "--against legacy")
    assert files.old_config is not None
    try:
        return evaluation.run("old release", side, files.old_config), ()
    except MigrateError as error:
        if options.against_legacy:
            raise
        return None, (f"the old release could not evaluate its file: {error.message}",)


def _try_control(
    files: Files,
    releases: Releases,
    config: Config,
    evaluation: _Evaluation,
    new: Answer,
    control: Mapping[str, str],
) -> MetricControl | None:
    """The wrong mapping, and the right one, on a few images; None where none is known."""
    # The request says whose weight a key gets.
    names = {wrong: right for right, wrong in control.items() if wrong != right}
    if not names:
        return None
    few: dict[str, object] = {"limit": _CONTROL_IMAGES, "samples": 0}
    if int(new["images"]) <= _CONTROL_IMAGES:
        few["limit"] = evaluation.options.limit
        right = new
    else:
        right = evaluation.run("control", releases.new, config, **few)
    wrong = evaluation.run("control", releases.new, config, names=names, **few)
    return MetricControl(right, wrong, files.rules.last.mistake)


def _first(files: Files) -> str:
    return files.origin.sha256 if files.origin else ""
