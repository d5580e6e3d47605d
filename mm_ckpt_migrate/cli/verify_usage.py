"""Options of `verify` that contradict each other, or would have no effect."""

from __future__ import annotations

import os
from typing import Final, NoReturn

import typer

from mm_ckpt_migrate.convert.options import EMBEDDED
from mm_ckpt_migrate.verify.options import VerifyOptions

# Of the metric rung alone; the others compute on the CPU, in one process.
_OF_EVALUATION: Final = {
    "data_root": "--data-root",
    "device": "--device",
    "workers": "--workers",
    "limit": "--limit",
    "record_metric": "--record-metric",
    "expected": "--expect",
    "tolerance": "--tolerance",
    "launcher": "--launcher",
}
_OF_OLD_RELEASE: Final = {"legacy_python": "--legacy-python", "record": "--record"}
# What each launcher's processes find in their environment, a number each: the first is the rank.
_NUMBERS: Final = {
    "none": (),
    "pytorch": ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_PORT"),
    "slurm": ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"),
}
_STARTERS: Final = {"pytorch": "torchrun", "slurm": "srun"}


def check_usage(options: VerifyOptions, cfg: str, against: str | None) -> None:
    """Refuse what would be passed over.

    Args:
        cfg, against: as they were typed.

    Raises:
        typer.BadParameter: an option would have no effect, or contradicts another.
    """
    if not options.evaluate:
        _refuse(_given(options, _OF_EVALUATION), "needs --eval: no metric is measured without it")
        _refuse("--against" if against else None, "needs --eval: no metric is measured without it")
    if options.launcher == "none" and options.workers:
        _fail("--workers is for --launcher: elsewhere one process loads and computes, in its wall")
    if options.launcher != "none" and cfg == EMBEDDED:
        _fail(
            "--launcher evaluates without a wall, so that the config inside NEW will not do: name "
            "one with --cfg FILE (`convert --config-out FILE` writes it)"
        )
    if options.source is None:
        _refuse(_given(options, _OF_OLD_RELEASE), "needs --source: the old release runs that file")
        named = options.legacy not in (None, "auto")
        _refuse("--legacy" if named else None, "needs --source: the old release runs that file")
    if options.legacy_python is not None and options.legacy != "auto":
        _fail("--legacy and --legacy-python both say which old release to use: give one of them")
    if options.expected is not None and against is not None:
        _fail("--expect and --against both say what to hold the metric against: give one of them")
    if options.against_legacy and _given(options, {"tolerance": ""}) is not None:
        _fail("--tolerance has no effect with --against legacy: every digit must be the same")


def rank_of(launcher: str) -> int:
    """Which of several processes this is.

    Raises:
        typer.BadParameter: there is no such launcher, or it did not start this process.
    """
    if launcher not in _NUMBERS:
        _fail(f"--launcher is one of {', '.join(_NUMBERS)}, and not {launcher!r}")
    found = [_number(name, launcher) for name in _NUMBERS[launcher]]
    if launcher == "pytorch" and not os.environ.get("MASTER_ADDR"):
        _fail(_not_started(launcher, "MASTER_ADDR is not set"))
    if found and not found[0] < found[1]:
        rank, count = _NUMBERS[launcher][:2]
        _fail(_not_started(launcher, f"{rank} is {found[0]}, and {count} is {found[1]}"))
    return found[0] if found else 0


def _number(name: str, launcher: str) -> int:
    value = os.environ.get(name, "")
    if not (value.isascii() and value.isdecimal()):
        _fail(_not_started(launcher, f"{name} is {value!r}" if value else f"{name} is not set"))
    return int(value)


def _not_started(launcher: str, why: str) -> str:
    return f"--launcher {launcher} is for processes that {_STARTERS[launcher]} starts, and {why}"


def _given(options: VerifyOptions, names: dict[str, str]) -> str | None:
    """The first of some options that is not as it would be by itself."""
    usual = VerifyOptions()
    return next(
        (typed for name, typed in names.items() if getattr(options, name) != getattr(usual, name)), None
    )


def _refuse(option: str | None, why: str) -> None:
    if option is not None:
        _fail(f"{option} {why}")


def _fail(message: str) -> NoReturn:
    raise typer.BadParameter(message)
