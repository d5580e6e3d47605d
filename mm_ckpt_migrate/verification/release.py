"""The two releases of a verification, each in a process of its own."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from mm_ckpt_migrate.configs.values import Config
from mm_ckpt_migrate.configs.write import UnwritableError, config_source
from mm_ckpt_migrate.errors import ConfigError, MissingSoftwareError
from mm_ckpt_migrate.legacy.environment import LegacyEnvironment, auto, environment_of, named
from mm_ckpt_migrate.legacy.process import ReleaseProcess
from mm_ckpt_migrate.target_config import TargetConfig
from mm_ckpt_migrate.verification.files import Files
from mm_ckpt_migrate.verification.options import VerifyOptions
from mm_ckpt_migrate.verify.outputs import Side, model_request


@dataclass(frozen=True, slots=True)
class Releases:
    """Both sides; the old one is missing where no old release, file or config is at hand.

    Attributes:
        no_old: why there is no old side; empty where there is one.
        old_versions: of the old release.
    """

    new: Side
    old: Side | None
    new_config: Path
    old_config: Path | None
    no_old: str
    old_versions: dict[str, str] | None


def open_releases(
    stack: ExitStack, files: Files, target: TargetConfig, options: VerifyOptions
) -> Releases:
    """Start the processes; they end with `stack`.

    Raises:
        MissingSoftwareError: the old release that was asked for is not there.
        ConfigError: a config would import what it may not.
    """
    gpu = options.device != "cpu"
    process = stack.enter_context(ReleaseProcess(gpu=gpu))
    model = model_request(target.config, target.origin, options.allow_imports)
    new = Side(process, model, files.output.source.path, files.kind)
    new_config = _plain(target.config, process.folder / "new_config.py", target.origin)
    environment = _environment(options)
    reason = _why_not(files, environment)
    if reason or environment is None or files.source is None or files.old_config is None:
        return Releases(new, None, new_config, None, reason, None)
    old_process = stack.enter_context(ReleaseProcess(environment.python, gpu=gpu))
    source = files.source.source.path
    origin = f"the config of {source}"
    request = model_request(files.old_config, origin, options.allow_imports)
    return Releases(
        new, Side(old_process, request, source), new_config,
        _plain(files.old_config, old_process.folder / "old_config.py", origin), "",
        dict(environment.versions),
    )  # fmt: skip


def _environment(options: VerifyOptions) -> LegacyEnvironment | None:
    if options.legacy_python is not None:
        return environment_of(options.legacy_python)
    if options.legacy in (None, "auto"):
        return auto() if options.legacy else None
    return named(str(options.legacy))


def _why_not(files: Files, environment: LegacyEnvironment | None) -> str:
    if files.source is None:
        return "the old file was not given (--source)"
    if files.old_config is None:
        return files.config_fault or "there is no config in the old file"
    if environment is None:
        return "there is no old release here (`mm-ckpt-migrate legacy create` makes one)"
    return ""


def _plain(config: Config, path: Path, origin: Path | str) -> Path:
    """The config as plain values: mmengine runs what it reads, and there is nothing to run."""
    try:
        path.write_text(config_source(config), encoding="utf-8")
    except UnwritableError as error:
        raise ConfigError(origin, f"its values cannot be written as Python: {error}") from error
    return path


def require_old(releases: Releases, why: str) -> Side:
    """The old side, where something that was asked for needs it; raises MissingSoftwareError."""
    if releases.old is None:
        raise MissingSoftwareError(
            f"{why} needs the old release, and {releases.no_old}",
            hint="--legacy-python PATH names one that you have.",
        )
    return releases.old
