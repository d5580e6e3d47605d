"""Options of `verify` that would be passed over, or contradict each other, are usage errors."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mm_ckpt_migrate.errors import ExitCode

Cli = Callable[..., Any]
ENVIRONMENT = {
    "pytorch": {
        "RANK": "0",
        "WORLD_SIZE": "2",
        "LOCAL_RANK": "0",
        "MASTER_ADDR": "here",
        "MASTER_PORT": "29500",
    },
    "slurm": {"SLURM_PROCID": "0", "SLURM_NTASKS": "2", "SLURM_LOCALID": "0"},
}


def refused(cli: Cli, *arguments: object) -> str:
    done = cli("verify", "no-such-file.pth", *arguments)
    assert done.code == ExitCode.USAGE, done.err
    assert "Traceback" not in done.err
    return " ".join(done.err.replace("│", " ").split())


@pytest.mark.parametrize(
    "options",
    [
        ("--expect", "99.9"),
        ("--against", "legacy"),
        ("--against", "zoo"),
        ("--against", "result.json"),
        ("--limit", "5"),
        ("--data-root", "data"),
        ("--device", "cuda"),
        ("--workers", "4"),
        ("--tolerance", "0.5"),
        ("--record-metric", "result.json"),
        ("--launcher", "pytorch"),
    ],
)
def test_what_is_of_the_metric_alone_needs_eval(options: tuple[str, ...], cli: Cli) -> None:
    assert f"{options[0]} needs --eval" in refused(cli, *options)


@pytest.mark.parametrize(
    "options", [("--legacy-python", sys.executable), ("--record", "outputs.npz"), ("--legacy", "mmseg-rc4")]
)
def test_what_is_of_the_old_release_needs_the_old_file(options: tuple[str, str], cli: Cli) -> None:
    assert f"{options[0]} needs --source" in refused(cli, *options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--expect", "44", "--against", "zoo"), "give one of them"),
        (("--expect", "44", "--against", "legacy"), "give one of them"),
        (("--against", "legacy", "--tolerance", "1"), "every digit must be the same"),
        (("--legacy", "none", "--legacy-python", "p", "--source", "o"), "give one of them"),
        (("--launcher", "mpi", "--cfg", "c.py"), "--launcher is one of none, pytorch, slurm"),
    ],
)
def test_options_that_contradict_each_other(options: tuple[str, ...], said: str, cli: Cli) -> None:
    assert said in refused(cli, "--eval", *options)


@pytest.mark.parametrize("option", ["--expect", "--tolerance", "--budget"])
@pytest.mark.parametrize("value", ["nan", "inf", "1e999"])
def test_what_nothing_can_be_held_against(option: str, value: str, cli: Cli) -> None:
    """Within an infinite tolerance, all is equal."""
    said = refused(cli, "--eval", option, value)
    assert option in said
    assert "is no number that anything can be held against" in said


@pytest.mark.parametrize("launcher", ENVIRONMENT)
@pytest.mark.parametrize("value", ["", "first", "-1", "²", None])
def test_a_launcher_that_did_not_start_this_process(
    launcher: str, value: str | None, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ENVIRONMENT[launcher]:
        for other, usual in ENVIRONMENT[launcher].items():
            monkeypatch.setenv(other, usual)
        if name == "MASTER_ADDR" and value:
            continue  # any name may be a machine's
        if value is None:
            monkeypatch.delenv(name)
        else:
            monkeypatch.setenv(name, value)
        said = refused(cli, "--eval", "--cfg", "c.py", "--launcher", launcher)
        assert f"--launcher {launcher} is for processes that" in said
        assert name in said


def test_a_rank_beyond_the_number_of_processes(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (ENVIRONMENT["pytorch"] | {"RANK": "2"}).items():
        monkeypatch.setenv(name, value)
    assert "RANK is 2, and WORLD_SIZE is 2" in refused(
        cli, "--eval", "--cfg", "c.py", "--launcher", "pytorch"
    )


@pytest.mark.parametrize("launcher", ENVIRONMENT)
def test_a_launcher_that_did(launcher: str, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is the file that is looked for, and is not there."""
    for name, value in ENVIRONMENT[launcher].items():
        monkeypatch.setenv(name, value)
    done = cli("verify", "no-such-file.pth", "--eval", "--cfg", "c.py", "--launcher", launcher)
    assert done.code == ExitCode.BAD_CHECKPOINT, done.err


@pytest.mark.mm
@pytest.mark.parametrize("device", ["cuda:99", "cud", "meta:0:0"])
def test_a_device_that_is_not_there(device: str, cli: Cli, golden: Any) -> None:
    case: Path = golden["mask2former_r18"].old
    done = cli("verify", case, "--eval", "--device", device)
    assert done.code == ExitCode.MISSING_SOFTWARE
    assert f"there is no device {device!r} here" in done.err
