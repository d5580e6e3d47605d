"""A batch that builds its models: the stack is imported once by a worker, and not for each file."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import kill_campaign
import pytest
from zoos import command, entries, golden_path

pytestmark = pytest.mark.mm

# Notes each process that imports torch, in `torch.log`.
TRACE = """\
import os, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "torch.nn":
            with open({log!r}, "a") as log:
                log.write(f"{{os.getpid()}}\\n")
sys.meta_path.insert(0, Finder())
"""
SEGMENTORS = ("maskformer_r18", "maskformer_swin", "mask2former_r18")


@pytest.fixture
def traced(tmp_path: Path) -> dict[str, str]:
    """The environment of a batch whose processes say that they import torch; without cached schemas."""
    (tmp_path / "sitecustomize.py").write_text(TRACE.format(log=str(tmp_path / "torch.log")))
    paths = os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", "")))
    return {**os.environ, "PYTHONPATH": paths, "MM_CKPT_MIGRATE_CACHE": str(tmp_path / "cache")}


@pytest.fixture
def segmentors(tmp_path: Path) -> Path:
    zoo = tmp_path / "zoo"
    zoo.mkdir()
    for name in SEGMENTORS:
        shutil.copy(golden_path(name), zoo / f"{name}.pth")
    return zoo


def test_one_worker_imports_the_stack_once(traced: dict[str, str], segmentors: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        command(segmentors, tmp_path / "new", "--jobs", "1"),
        env=traced,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outcomes = [entry["outcome"] for entry in entries(tmp_path / "new").values()]
    assert len(outcomes) == len(SEGMENTORS)
    assert all("keys" in outcome["summary"] for outcome in outcomes)
    assert len((tmp_path / "torch.log").read_text().split()) == 1


def test_a_killed_batch_takes_its_builds_along(
    traced: dict[str, str], segmentors: Path, tmp_path: Path
) -> None:
    line = command(segmentors, tmp_path / "new", "--jobs", "2")
    with subprocess.Popen(line, env=traced, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as batch:
        log, deadline = tmp_path / "torch.log", time.monotonic() + 60
        while not log.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        below = descendants(batch.pid)
        servers = {int(pid) for pid in log.read_text().split()}
        batch.kill()
    assert servers <= below
    assert len(below) > len(servers)
    deadline = time.monotonic() + 30
    while left := {pid for pid in below if Path(f"/proc/{pid}/exe").exists()}:
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


def descendants(pid: int) -> set[int]:
    below = set(kill_campaign.children(pid))
    return below.union(*map(descendants, below))
