"""Children that do not answer, and an interpreter without the stack."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from mm_ckpt_migrate.errors import ConfigError, ExitCode, MissingSoftwareError
from mm_ckpt_migrate.releases.allowed.request import TargetRequest, make_request
from mm_ckpt_migrate.releases.current.process import TargetProcess


@pytest.fixture
def request_() -> TargetRequest:
    return make_request({"type": "ResNet"}, "mmseg", source="my.py")


def shell(script: str) -> tuple[str, ...]:
    return ("/bin/sh", "-c", script, "sh")


def test_a_missing_stack_is_told_with_what_to_type(
    request_: TargetRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An installed package lies beside torch, so that leaving site-packages out is no way.
    missing = "raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')"
    (tmp_path / "torch.py").write_text(missing)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with (
        TargetProcess(request_) as process,
        pytest.raises(MissingSoftwareError, match="No module named 'torch'") as caught,
    ):
        process.schema()
    assert caught.value.exit_code is ExitCode.MISSING_SOFTWARE
    assert caught.value.hint == "pip install 'mm-ckpt-migrate[mm]'"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("read line; echo boom >&2; exit 3", "ended with status 3: boom"),
        ("read line; kill -9 $$", "killed by SIGKILL"),
        ("read line; echo hello; sleep 9", "not understood"),
        ("read line; echo '[1]'; sleep 9", "not understood"),
        *(
            (f"read line; echo '{answer}'; sleep 9", "not understood")
            for answer in (
                "{}",
                '{"ok": true}',
                '{"ok": false}',
                '{"ok": true, "schema": []}',
                '{"ok": true, "schema": {"tensors": 1}}',
                '{"ok": false, "kind": "config", "reason": ""}',
            )
        ),
        ("read line; kill -35 $$", "killed by signal 35"),
        ("read line; sleep 60", "no answer within 0.5 s"),
        ("exit 0", "ended with status 0"),
    ],
)
def test_a_child_that_gives_no_answer_proves_nothing(
    request_: TargetRequest, script: str, reason: str
) -> None:
    with (
        pytest.raises(ConfigError, match=f"my.py: verification impossible: .*{reason}"),
        TargetProcess(request_, interpreter=shell(script), build_seconds=0.5) as process,
    ):
        process.schema()


def test_what_a_child_says_of_a_file_is_looked_at_too(request_: TargetRequest) -> None:
    names = ("tensors", "ties", "parameters", "frozen")
    schema = {**{name: [] for name in names}, "modules": {}, "stack": {}, "device": "cpu"}
    built = json.dumps({"ok": True, "schema": schema})
    loaded = json.dumps({"ok": True, "missing": 1})
    script = f"read line; echo '{built}'; read line; echo '{loaded}'; sleep 9"
    with TargetProcess(request_, interpreter=shell(script)) as process:
        process.schema()
        with pytest.raises(ConfigError, match="not understood"):
            process.load(Path(__file__))


def test_leaving_kills_the_child_and_what_it_started(request_: TargetRequest, tmp_path: Path) -> None:
    script = f"sleep 60 & echo $! > {tmp_path}/pid; sleep 60"
    started = time.monotonic()
    with TargetProcess(request_, interpreter=shell(script)) as process:
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():
            time.sleep(0.01)
        child, grandchild = process.pid, int((tmp_path / "pid").read_text())
    assert time.monotonic() - started < 30
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    assert not running(grandchild)


def test_an_interrupt_kills_the_child(request_: TargetRequest) -> None:
    with pytest.raises(KeyboardInterrupt), TargetProcess(request_, interpreter=shell("sleep 60")) as process:
        raise KeyboardInterrupt
    assert not running(process.pid)


def running(pid: int) -> bool:
    """Whether a process lives; a killed orphan may stay a zombie until init reaps it."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return False
        if state == "Z":
            return False
        time.sleep(0.02)
    return True
