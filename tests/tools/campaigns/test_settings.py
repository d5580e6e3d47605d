"""A short slice of the settings campaign, and what it says of classes that do harm."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        any(importlib.util.find_spec(name) is None for name in ("torch", "mmseg", "mmdet")),
        reason="the stack is not installed",
    ),
    pytest.mark.skipif(
        platform.system() != "Linux" or platform.machine() != "x86_64",
        reason="calls are filtered on Linux on x86-64 only",
    ),
]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=580,
        env={**os.environ, "PYTHONPATH": path},
    )


def test_no_hostile_setting_runs_opens_or_connects(tmp_path: Path) -> None:
    save = tmp_path / "found.json"
    script = str(ROOT / "tools" / "campaigns" / "settings.py")
    done = run(script, "--settings", "5", "--jobs", "1", "--save", str(save))
    assert done.returncode == 0, done.stdout + done.stderr
    counts = json.loads(save.read_text())["counts"]
    assert counts["settings"] == 5
    assert counts["cases"] >= 5 * 10


def test_the_campaign_accuses_each_class_that_does_harm() -> None:
    done = run(str(Path(__file__).with_name("settings_canaries.py")))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    spared = {kind: {act for act, n in acts.items() if not n} for kind, acts in found.items()}
    # To read what a setting names is what a data set is for.
    assert spared == {"model": {"nothing"}, "metric": {"nothing"}, "dataset": {"nothing", "read"}}
