"""Builds that are forked from one process: like those of fresh children, and apart from each other."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_target_process import running

from mm_ckpt_migrate.errors import ConfigError
from mm_ckpt_migrate.releases.allowed.request import TargetRequest, make_request
from mm_ckpt_migrate.releases.current import fork_server
from mm_ckpt_migrate.releases.current.fork_server import ForkServer
from mm_ckpt_migrate.releases.current.process import TargetProcess

pytestmark = pytest.mark.mm

HOSTILE = """\
import ctypes, os
from mmseg.models import ResNetV1c
from mmseg.registry import MODELS

@MODELS.register_module()
class Hostile(ResNetV1c):
    def __init__(self, line, **more):
        exec(line)
        super().__init__(**more)
"""
HARM = {
    "a crash": "ctypes.string_at(0)",
    "an exit": "os._exit(0)",
    "memory": "held = bytearray(1 << 40)",
    "a socket": "ctypes.CDLL(None).socket(2, 1, 0)",
    "a signal to the server": "os.kill(os.getppid(), 9)",
    "a signal by ctypes": "ctypes.CDLL(None).kill(os.getppid(), 9)",
}


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ForkServer]]:
    """A process that keeps fork servers, as a batch's workers do."""
    kept: dict[str, ForkServer] = {}
    monkeypatch.setattr(fork_server, "_servers", kept)
    yield kept
    for server in kept.values():
        server.close()


@pytest.fixture
def hostile(small_model: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "hostile.py").write_text(HOSTILE)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", ""))))

    def request(line: str) -> TargetRequest:
        small_model["backbone"].update(type="Hostile", line=line)
        return make_request(small_model, "mmseg", imports=["hostile"], allow_imports=["hostile"])

    return request


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_forked_child_builds_what_a_fresh_one_does(
    small_model: dict[str, Any], servers: dict[str, ForkServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    request, schemas, pids = make_request(small_model, "mmseg"), [], set()
    for _ in range(2):
        with TargetProcess(request) as process:
            schemas.append(process.schema().schema)
            assert process.unconfined == ""
            assert parent_of(process.pid) == servers["mmseg"].pid
            pids.add(process.pid)
    assert len(pids) == 2
    monkeypatch.setattr(fork_server, "_servers", None)
    with TargetProcess(request) as process:
        assert process.schema().schema == schemas[0] == schemas[1]
        assert parent_of(process.pid) == os.getpid()


def test_a_forked_child_holds_what_it_needs_and_nothing_more(
    small_model: dict[str, Any], servers: dict[str, ForkServer]
) -> None:
    request = make_request(small_model, "mmseg")
    with TargetProcess(request) as first, TargetProcess(request) as second:
        first.schema(), second.schema()
        for process in (first, second):
            held = Path(f"/proc/{process.pid}/fd")
            kinds = sorted(os.readlink(one).partition(":")[0] for one in held.iterdir())
            assert [kind for kind in kinds if not kind.startswith("/")] == ["pipe", "pipe", "socket"]
            assert len(kinds) == 6
            assert os.getsid(process.pid) == process.pid


@pytest.mark.parametrize("name", HARM)
def test_harm_to_one_child_leaves_the_next_alone(
    name: str, hostile: Any, small_model: dict[str, Any], servers: dict[str, ForkServer]
) -> None:
    good = make_request(small_model, "mmseg")
    request = hostile(HARM[name])
    with TargetProcess(good) as process:
        expected, server = process.schema(), servers["mmseg"].pid
    with pytest.raises(ConfigError), TargetProcess(request) as process:
        process.schema()
    with TargetProcess(good) as process:
        assert process.schema() == expected
        assert parent_of(process.pid) == server


def test_what_one_build_imports_the_next_does_not_see(
    hostile: Any, small_model: dict[str, Any], servers: dict[str, ForkServer]
) -> None:
    request = hostile("")
    with TargetProcess(request) as process:
        assert process.schema()
    with (
        pytest.raises(ConfigError, match="Hostile is not in the"),
        TargetProcess(replace(request, imports=())) as process,
    ):
        process.schema()


@pytest.mark.parametrize("when", ["before", "while"])
def test_a_server_that_ends_costs_no_build(
    when: str, small_model: dict[str, Any], servers: dict[str, ForkServer]
) -> None:
    request = make_request(small_model, "mmseg")
    with TargetProcess(request) as process:
        expected = process.schema()
    server = servers["mmseg"].pid
    with contextlib.ExitStack() as stack:
        if when == "while":
            os.kill(server, signal.SIGSTOP)  # so that it forks nothing before its end
            process = stack.enter_context(TargetProcess(request))
        os.kill(server, signal.SIGKILL)
        if when == "before":
            process = stack.enter_context(TargetProcess(request))
        assert process.schema() == expected
        assert parent_of(process.pid) == os.getpid()


def test_a_server_with_threads_forks_nothing(
    small_model: dict[str, Any],
    servers: dict[str, ForkServer],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", ""))))
    with TargetProcess(make_request(small_model, "mmseg")) as process:
        assert process.schema()
        assert parent_of(process.pid) == os.getpid()
    assert servers["mmseg"].broken


def test_servers_and_their_children_die_with_the_process_that_keeps_them(small_model: dict[str, Any]) -> None:
    script = (
        "import sys, time\n"
        "from mm_ckpt_migrate.releases.allowed.request import make_request\n"
        "from mm_ckpt_migrate.releases.current import fork_server\n"
        "from mm_ckpt_migrate.releases.current.process import TargetProcess\n"
        "fork_server.keep()\n"
        f"process = TargetProcess(make_request({small_model!r}, 'mmseg'))\n"
        "process.schema()\n"
        "print(fork_server._servers['mmseg'].pid, process.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as keeper:
        assert keeper.stdout is not None
        pids = [int(word) for word in keeper.stdout.readline().split()]
        assert len(pids) == 2
        assert all(Path(f"/proc/{pid}").exists() for pid in pids)
        keeper.kill()
    assert not any(running(pid) for pid in pids)


def test_whoever_keeps_no_server_starts_none(small_model: dict[str, Any]) -> None:
    """As `convert` does, which builds one model."""
    assert fork_server.fork_for("mmseg") is None
    with TargetProcess(make_request(small_model, "mmseg")) as process:
        assert process.schema()
        assert parent_of(process.pid) == os.getpid()
