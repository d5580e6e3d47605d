"""Every exit code of the program, by a command that gives it."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mm_ckpt_migrate.cli.main import app
from mm_ckpt_migrate.errors import ExitCode, IntegrityError
from mm_ckpt_migrate.verdicts import Rung, exit_code, failed, passed, skipped

Cli = Callable[..., Any]
Golden = dict[str, Any]


@pytest.fixture
def case(golden: Golden) -> Any:
    return golden["mask2former_r18"]


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return tmp_path / "new.pth"


def test_the_help_documents_every_code(cli: Cli) -> None:
    numbers = set(map(int, re.findall(r"\b(\d+)\b", str(app.info.epilog))))
    assert numbers <= set(ExitCode)
    assert numbers >= {0, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 130}
    assert "Exit codes: 0 done or nothing to do" in " ".join(cli("--help").out.split())


def test_0_done_and_nothing_to_do(cli: Cli, case: Any, new: Path) -> None:
    first = cli("convert", "auto", "-", case.old, new, "--no-build")
    assert (first.code, first.err) == (ExitCode.OK, "")
    assert f"Converted {case.old} -> {new} (mask2former: 60 names change, 180 stay)" in first.out
    again = cli("convert", "auto", "-", new, new.with_name("x.pth"), "--no-build")
    assert (again.code, again.err) == (ExitCode.OK, "")
    assert "nothing to do" in again.out


@pytest.mark.parametrize(
    "arguments",
    [
        ["convert"],
        ["convert", "auto", "-", "old.pth"],
        ["convert", "auto", "-", "old.pth", "new.pth", "--no-such-option"],
        ["convert", "auto", "-", "old.pth", "new.pth", "--format", "legacy"],
        ["convert", "auto", "-", "old.pth", "new.pth", "extra"],
        ["convert", "auto", "-", "old.pth", "new.pth", "--for", "training"],
        ["convert", "auto", "-", "old.pth", "new.pth", "--weights", "raw"],
        ["convert", "auto", "-", "old.pth", "new.pth", "--weights", "ema", "--for", "resume"],
        ["convert", "auto", "-", "old.pth", "new.pth", "--for", "inference", "--weights", "best"],
        ["convert", "auto", "-", "old.pth", "new.pth", "--fold"],
        ["no-such-command"],
        ["rules", "no-such-command"],
        ["inspect"],
    ],
    ids=" ".join,
)
def test_2_usage(arguments: list[str], cli: Cli) -> None:
    done = cli(*arguments)
    assert (done.code, done.out) == (ExitCode.USAGE, "")
    assert "Usage:" in done.err


@pytest.mark.parametrize(
    "content", [None, b"", b"x", b"PK\x03\x04", b"<html>", b"\x80\x02}q\x00.", b"\x1f\x8b" + bytes(99)]
)
@pytest.mark.parametrize("command", ["convert", "plan", "inspect"])
def test_3_bad_checkpoint(command: str, content: bytes | None, cli: Cli, tmp_path: Path) -> None:
    old, new = tmp_path / "old.pth", tmp_path / "new.pth"
    if content is not None:
        old.write_bytes(content)
    arguments = {
        "convert": ["auto", "-", old, new, "--no-build"],
        "plan": ["auto", "-", old, "--no-build"],
        "inspect": [old],
    }[command]
    done = cli(command, *arguments)
    assert (done.code, done.out) == (ExitCode.BAD_CHECKPOINT, "")
    assert done.err.startswith(f"Error: {old}: ")
    assert not new.exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--for", "resume"], "it holds no optimizer"),
        (["--for", "inference", "--weights", "raw"], "it has no averaged weights"),
    ],
)
def test_3_a_checkpoint_that_lacks_what_was_asked_for(
    options: list[str], said: str, cli: Cli, golden: Golden, new: Path
) -> None:
    old = golden["maskformer_r18"].old
    done = cli("convert", "auto", "-", old, new, "--no-build", *options)
    assert (done.code, done.out) == (ExitCode.BAD_CHECKPOINT, "")
    assert said in done.err
    assert not new.exists()


def test_4_an_optimizer_that_cannot_follow(cli: Cli, case: Any, new: Path) -> None:
    done = cli("convert", "auto", "-", case.old, new, "--no-build", "--for", "resume")
    assert (done.code, done.out) == (ExitCode.BAD_RULES, "")
    assert "40 of its parameters were never trained" in done.err
    assert not new.exists()


def test_4_bad_rules_or_plan(cli: Cli, case: Any, new: Path, tmp_path: Path) -> None:
    rules = tmp_path / "toy.yaml"
    rules.write_text("schema: 1\nfamily: &a toy\n")
    done = cli("rules", "check", rules)
    assert done.code == ExitCode.BAD_RULES
    assert done.err == f"Error: {rules}:2: anchors and aliases are not allowed\n"
    done = cli("convert", "auto", "-", case.old, new, "--reverse")
    assert done.code == ExitCode.BAD_RULES
    assert "bears no stamp" in done.err


@pytest.mark.parametrize("family", ["1", "maskformer", "MASKFORMER", "3", "detr"])
def test_5_family_refused(family: str, cli: Cli, case: Any, new: Path) -> None:
    done = cli("convert", family, "-", case.old, new, "--no-build")
    assert (done.code, done.out) == (ExitCode.FAMILY_REFUSED, "")
    assert "Give " in done.err
    assert not new.exists()


@pytest.mark.parametrize("config", ["-", "/nowhere.py", "no_such_config"])
def test_6_bad_config(config: str, cli: Cli, case: Any, new: Path) -> None:
    done = cli("convert", "auto", config, case.old, new)
    assert (done.code, done.out) == (ExitCode.BAD_TARGET, "")
    assert not new.exists()


def test_6_an_old_config_with_a_setting_that_has_no_counterpart(
    cli: Cli, case: Any, new: Path, tmp_path: Path
) -> None:
    """Other old configs are migrated on the way."""
    text = Path(case.old_config).read_text()
    config = tmp_path / "cfg.py"
    config.write_text(text.replace("operation_order=", "no_counterpart=1, operation_order="))
    for command in (["convert", "auto", config, case.old, new], ["plan", "auto", config, case.old]):
        done = cli(*command)
        assert (done.code, done.out) == (ExitCode.BAD_TARGET, "")
        assert "no_counterpart" in done.err
    assert not new.exists()


@pytest.mark.parametrize("config", [None, "", "import os", "x = 1"])
def test_6_no_config_inside(config: str | None, cli: Cli, toy: Callable[..., Path], new: Path) -> None:
    done = cli("convert", "auto", "embedded", toy(meta={"cfg": config}), new)
    assert (done.code, done.out) == (ExitCode.BAD_TARGET, "")
    assert not new.exists()


def test_7_destination(cli: Cli, case: Any, tmp_path: Path) -> None:
    for name in ("no/such/folder.pth", ".", "x" * 256 + ".pth"):
        done = cli("convert", "auto", "-", case.old, tmp_path / name, "--no-build")
        assert (done.code, done.out) == (ExitCode.BAD_DESTINATION, "")
    done = cli(
        "convert",
        "auto",
        "-",
        case.old,
        tmp_path / "new.pth",
        "--no-build",
        "--plan",
        tmp_path / "no" / "plan.json",
    )
    assert done.code == ExitCode.BAD_DESTINATION
    assert list(tmp_path.iterdir()) == []


def test_7_a_disk_that_takes_no_more(process: Cli, case: Any, new: Path) -> None:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = process("convert", "auto", "-", case.old, new, "--no-build", preexec_fn=limited)
    assert (done.code, done.out) == (ExitCode.BAD_DESTINATION, "")
    assert list(new.parent.iterdir()) == []


def test_8_software_missing(process: Cli, case: Any, new: Path, tmp_path: Path) -> None:
    """A torch that cannot be imported stands in front of the real one, if there is one."""
    broken = tmp_path / "broken"
    (broken / "torch").mkdir(parents=True)
    error = "raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')\n"
    (broken / "torch" / "__init__.py").write_text(error)
    env = {"PYTHONPATH": str(broken), "MM_CKPT_MIGRATE_CACHE": str(tmp_path / "cache")}
    done = process("convert", "auto", case.new_config, case.old, new, env=env)
    assert (done.code, done.out) == (ExitCode.MISSING_SOFTWARE, "")
    assert "pip install 'mm-ckpt-migrate[mm]'" in done.err
    assert not new.exists()


def test_10_to_15_a_rung_that_failed() -> None:
    """10 takes a machine that corrupts memory; what leads to it is tested by injected faults."""
    for number, rung in enumerate(Rung, 10):
        verdicts = [failed(r, "") if r is rung else passed(r, "") for r in Rung]
        assert exit_code(verdicts) == number
        assert exit_code([skipped(r, "") for r in Rung]) == ExitCode.OK
    assert IntegrityError.exit_code == 10
    assert exit_code([failed(r, "") for r in reversed(Rung)]) == 10


@pytest.mark.mm
def test_11_keys(cli: Cli, golden: Golden, case: Any, new: Path) -> None:
    done = cli("convert", "auto", golden["maskformer_r18"].new_config, case.old, new)
    assert (done.code, done.out) == (ExitCode.KEYS_FAILED, "")
    assert "builds a maskformer model" in done.err
    assert not new.exists()


def test_12_roles(cli: Cli, case: Any, new: Path) -> None:
    done = cli("convert", "1", "-", case.old, new, "--no-build", "--force-family")
    assert (done.code, done.err) == (ExitCode.ROLES_FAILED, "")
    assert "UNPROVEN" in done.out
    assert new.exists()


@pytest.mark.mm
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_130_interrupted(number: signal.Signals, case: Any, new: Path) -> None:
    arguments = ["convert", "auto", case.new_config, str(case.old), str(new), "--no-cache"]
    with subprocess.Popen(
        [sys.executable, "-m", "mm_ckpt_migrate", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as running:
        child = _child_that_builds(running.pid)
        running.send_signal(number)
        out, err = running.communicate(timeout=30)
    assert (running.returncode, out) == (ExitCode.INTERRUPTED, "")
    assert err == "Interrupted. The source is as it was; no new file was made.\n"
    assert list(new.parent.iterdir()) == []
    _wait_for_the_end_of(child)


@pytest.mark.mm
def test_what_nohup_has_ignored_stays_ignored(case: Any, new: Path) -> None:
    arguments = ["convert", "auto", case.new_config, str(case.old), str(new), "--no-cache"]
    with subprocess.Popen(
        ["nohup", sys.executable, "-m", "mm_ckpt_migrate", *arguments],
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as running:
        _child_that_builds(running.pid)
        running.send_signal(signal.SIGHUP)
        _, err = running.communicate(timeout=60)
    assert running.returncode == ExitCode.OK, err
    assert new.exists()


def _wait_for_the_end_of(child: int) -> None:
    """Killed with the parent; or, where the signal hit while it was being started, soon after."""
    deadline = time.monotonic() + 30
    while Path(f"/proc/{child}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _child_that_builds(pid: int) -> int:
    """Wait until the model is being built."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for child in map(int, children):
            if b"releases.current.child.probe" in Path(f"/proc/{child}/cmdline").read_bytes():
                return child
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    pytest.fail("no child was started")
