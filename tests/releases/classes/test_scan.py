"""The lists in the package are what the scan finds in the installed release, and it sees harm."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mm_ckpt_migrate.releases.allowed import classes

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("torch", "mmseg", "mmdet")),
    reason="the stack is not installed",
)


def run(script: str, *arguments: str) -> str:
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "classes" / script), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_a_scan_of_the_installed_release_finds_what_the_lists_say(tmp_path: Path) -> None:
    run("scan.py", str(tmp_path))
    found = {file.name for file in tmp_path.iterdir()}
    known = set(os.listdir(classes.FOLDER)) & found
    assert {name.partition("-")[0] for name in known} >= {"mmcv", "mmdet", "mmengine", "mmseg"}
    for name in known:
        listed = (Path(classes.FOLDER) / name).read_text().splitlines()
        assert (tmp_path / name).read_text().splitlines() == listed, name


def test_the_scan_sees_every_way_to_do_harm_and_clears_the_harmless() -> None:
    verdicts = json.loads(run("canaries.py"))
    assert len(verdicts) > 20
    assert {name for name, cleared in verdicts.items() if cleared != name.startswith("Good")} == set()


def test_every_line_names_a_class_once() -> None:
    for name in os.listdir(classes.FOLDER):
        lines = (Path(classes.FOLDER) / name).read_text().splitlines()
        assert lines == sorted(set(lines)), name
        package = name.partition("-")[0]
        modules = {line.split()[3].partition(".")[0] for line in lines}
        assert modules == {package}, name
