"""The two releases of a verification, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mm_ckpt_migrate.configs.values import Config
from mm_ckpt_migrate.convert.target_config import TargetConfig
from mm_ckpt_migrate.errors import ConfigError, MissingSoftwareError
from mm_ckpt_migrate.releases.allowed.request import TargetRequest
from mm_ckpt_migrate.releases.old.environment import LegacyEnvironment, auto, environment_of, named
from mm_ckpt_migrate.releases.process import ReleaseProcess
from mm_ckpt_migrate.verify.files import Files
from mm_ckpt_migrate.verify.options import VerifyOptions
from mm_ckpt_migrate.verify.raw_outputs import Side, model_request

_ASK_DEVICE: Final = "import sys, torch; torch.zeros(1, device=sys.argv[1])"


@dataclass(frozen=True, slots=True)
class Releases:
    """Both sides; the old one is missing where no old release, file or config is at hand.

    Attributes:
        no_old: why there is no old side; empty where there is one.
        old_versions: of the old release.
    """

    new: Side
    old: Side | None
    no_old: str
    old_versions: dict[str, str] | None


def find_old_release(options: VerifyOptions) -> LegacyEnvironment | None:
    """The old release that was asked for, or that is at hand.

    Raises:
        MissingSoftwareError: the one that was asked for is not there.
    """
    if options.legacy_python is not None:
        return environment_of(options.legacy_python)
    if options.legacy in (None, "auto"):
        return auto() if options.legacy else None
    return named(str(options.legacy))


def require_device(name: str) -> None:
    """See that there is such a device, before anything is computed on it.

    Raises:
        MissingSoftwareError: there is none.
    """
    if name == "cpu":
        return
    done = subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", _ASK_DEVICE, name], capture_output=True, check=False, cwd="/"
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["it died"]
        raise MissingSoftwareError(
            f"there is no device {name!r} here: {said[-1]}", hint="--device cpu computes without one."
        )


def open_releases(
    stack: ExitStack,
    files: Files,
    target: TargetConfig,
    options: VerifyOptions,
    environment: LegacyEnvironment | None,
) -> Releases:
    """Start the processes; they end with `stack`.

    Args:
        environment: the old release.

    Raises:
        ConfigError: the target config would import what it may not.
    """
    gpu = options.device != "cpu"
    model = _request(target.config, target.origin, options)
    process = stack.enter_context(ReleaseProcess(gpu=gpu))
    new = Side(process, model, files.output.source.path, files.kind)
    reason = _why_not(files, environment)
    if reason or environment is None or files.source is None or files.old_config is None:
        return Releases(new, None, reason, None)
    source = files.source.source.path
    try:
        request = _request(files.old_config, f"the config of {source}", options)
    except ConfigError as error:
        return Releases(new, None, error.message, None)
    old_process = stack.enter_context(ReleaseProcess(environment.python, gpu=gpu))
    old = Side(old_process, request, source)
    return Releases(new, old, "", dict(environment.versions))


def _why_not(files: Files, environment: LegacyEnvironment | None) -> str:
    if files.source is None:
        return "the old file was not given (--source)"
    if files.old_config is None:
        return files.config_fault or "there is no config in the old file"
    if environment is None:
        return "there is no old release here (`mm-ckpt-migrate legacy create` makes one)"
    return ""


def _request(config: Config, origin: Path | str, options: VerifyOptions) -> TargetRequest:
    return model_request(config, origin, options.allow_imports, allow_unconfined=options.allow_unconfined)


def require_old(releases: Releases, why: str) -> Side:
    """The old side, where something that was asked for needs it; raises MissingSoftwareError."""
    if releases.old is None:
        raise MissingSoftwareError(
            f"{why} needs the old release, and {releases.no_old}",
            hint="--legacy-python PATH names one that you have.",
        )
    return releases.old
