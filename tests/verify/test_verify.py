"""`verify` as its user runs it, against recorded outputs of the old release."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from migrated_files import Migrated

from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.options import Options
from mm_ckpt_migrate.errors import ExitCode

pytestmark = pytest.mark.mm


def verify(new: Path, migrated: Migrated, *options: str) -> tuple[int, dict[str, Any]]:
    record = migrated.case.folder / "reference.npz"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mm_ckpt_migrate",
            "verify",
            str(new),
            "--json",
            "--legacy",
            "none",
            "--cfg",
            migrated.case.new_config,
            "--source",
            str(migrated.case.old),
            "--reference",
            str(record),
            "--budget",
            "0",
            *options,
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, found


def statuses(found: dict[str, Any]) -> dict[str, str]:
    return {verdict["rung"]: verdict["status"] for verdict in found["verdicts"]}


def test_a_genuine_file_climbs_to_forward(migrated: Migrated, tmp_path: Path) -> None:
    code, found = verify(migrated.new, migrated, "--report", str(tmp_path / "report"))
    assert code == ExitCode.OK
    assert statuses(found) == {
        "integrity": "pass",
        "keys": "pass",
        "roles": "pass",
        "forward": "pass",
        "resume": "skipped",
        "metric": "skipped",
    }
    assert found["forward"]["control"] > 1
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert found["sha256"] in page
    data = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert data["sha256"] == found["sha256"]


def test_the_wrong_family_fails_roles_and_forward(migrated: Migrated, tmp_path: Path) -> None:
    if migrated.case.family == "maskformer":
        pytest.skip("Mask2Former's rules cannot be forced onto it")
    new = tmp_path / "wrong.pth"
    options = Options(build=False, force_family=True)
    convert(migrated.case.other_family, "-", migrated.case.old, new, options)
    code, found = verify(new, migrated, "--require", "forward,metric")
    assert code == ExitCode.ROLES_FAILED
    assert statuses(found) | {"resume": "", "metric": ""} == {
        "integrity": "pass",
        "keys": "pass",
        "roles": "fail",
        "forward": "fail",
        "resume": "",
        "metric": "",
    }
    assert found["required_but_skipped"] == ["metric"]


def test_a_required_rung_that_is_skipped_is_an_error(migrated: Migrated) -> None:
    code, found = verify(migrated.new, migrated, "--require", "metric")
    assert code == ExitCode.METRIC_FAILED
    assert statuses(found)["metric"] == "skipped"
