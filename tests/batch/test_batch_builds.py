"""A batch that builds its models: the stack is imported once by a worker, and not for each file."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

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


def test_one_worker_imports_the_stack_once(tmp_path: Path) -> None:
    zoo, log = tmp_path / "zoo", tmp_path / "torch.log"
    zoo.mkdir()
    for name in SEGMENTORS:
        shutil.copy(golden_path(name), zoo / f"{name}.pth")
    (tmp_path / "sitecustomize.py").write_text(TRACE.format(log=str(log)))
    paths = os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", "")))
    environment = {**os.environ, "PYTHONPATH": paths, "MM_CKPT_MIGRATE_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        command(zoo, tmp_path / "new", "--jobs", "1"),
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outcomes = [entry["outcome"] for entry in entries(tmp_path / "new").values()]
    assert len(outcomes) == len(SEGMENTORS)
    assert all("keys" in outcome["summary"] for outcome in outcomes)
    assert len(log.read_text().split()) == 1
