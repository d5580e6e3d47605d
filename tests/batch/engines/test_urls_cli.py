"""`batch` with URLs, as its user runs it: against a real S3 server."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from distributed import files_below
from typer.testing import CliRunner

from mm_ckpt_migrate.batch.engines.urls import UrlFolder
from mm_ckpt_migrate.cli.main import app
from mm_ckpt_migrate.errors import ExitCode

pytest.importorskip("s3fs", reason="the urls extra is not installed")


def batch(*arguments: object) -> tuple[int, Any]:
    done = CliRunner().invoke(app, ["batch", *map(str, arguments), "--no-build", "--json"])
    return done.exit_code, json.loads(done.stdout) if done.stdout else done.stderr


def fetched(url: str, folder: Path) -> dict[str, bytes]:
    there = UrlFolder(url)
    for found in there.find():
        there.fetch(found.source, found.signature, folder / found.source)
    return files_below(folder)


def test_same_files_and_same_report_as_with_folders(s3: str, zoo: Path, tmp_path: Path) -> None:
    code, here = batch(zoo, tmp_path / "here")
    assert code == ExitCode.INCOMPLETE  # one of them is damaged
    url, state = "s3://new/cli", tmp_path / "state"
    assert batch(s3, url, "--state", state) == (code, here)
    assert fetched(url, tmp_path / "there") == {
        name: raw for name, raw in files_below(tmp_path / "here").items() if "batch." not in name
    }
    report = (tmp_path / "here/batch.json").read_bytes()
    assert (state / "batch.json").read_bytes() == report


def test_a_second_run_repairs_what_was_spoilt_and_nothing_else(s3: str, tmp_path: Path) -> None:
    url, state = "s3://new/repaired", tmp_path / "state"
    batch(s3, url, "--state", state)
    there = UrlFolder(url)
    before = {found.source: found.signature for found in there.find()}
    spoilt = tmp_path / "spoilt"
    spoilt.write_bytes(b"anything else")
    digest = "0" * 64
    with pytest.raises(Exception, match="read back"):
        there.publish(spoilt, "rpn_r18.pth", digest, replaces=True)
    batch(s3, url, "--state", state)
    assert {found.source: found.signature for found in UrlFolder(url).find()} == before


def test_a_mounted_folder_is_as_a_folder(zoo: Path, tmp_path: Path) -> None:
    """Links that lead out of it are left out, and private files give private results."""
    sources, results = tmp_path / "sources", tmp_path / "results"
    sources.mkdir()
    for name in ("rpn_r18.pth", "yolact_r18.pth"):
        shutil.copy(zoo / name, sources / name)
    (sources / "rpn_r18.pth").chmod(0o600)
    (sources / "out.pth").symlink_to(zoo / "rpn_r18.pth")
    umask = os.umask(0o022)
    try:
        code, found = batch(f"file://{sources}", f"file://{results}", "--state", tmp_path / "state")
    finally:
        os.umask(umask)
    assert code == ExitCode.INCOMPLETE
    faults = {e["source"]: e["reason"] for e in found["entries"] if e["action"] == "refuse"}
    assert list(faults) == ["out.pth"]
    assert "leads out of the folder" in faults["out.pth"]
    modes = {path.name: path.stat().st_mode & 0o7777 for path in results.rglob("*.pth")}
    assert modes == {"rpn_r18.pth": 0o600, "yolact_r18.pth": 0o644}


def test_only_what_is_listed(s3: str, tmp_path: Path) -> None:
    names = tmp_path / "names"
    names.write_text("rpn_r18.pth\nabsent.pth\n")
    code, found = batch(s3, "s3://new/listed", "--state", tmp_path / "state", "--list", names)
    assert code == ExitCode.INCOMPLETE
    status = {entry["source"]: entry["outcome"]["status"] for entry in found["entries"]}
    assert status == {"absent.pth": "refused", "rpn_r18.pth": "migrated"}


def test_a_plan_writes_nothing(s3: str, tmp_path: Path) -> None:
    code, items = batch(s3, "s3://new/planned", "--state", tmp_path / "state", "--dry-run")
    assert code == ExitCode.OK
    assert len(items) == 5
    assert not (tmp_path / "state").exists()
    assert not UrlFolder("s3://new")._store.exists("new/planned")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["s3://zoo", "s3://new/x"], "--state DIR"),
        (["{here}", "{here}/new", "--state", "{here}/state"], "a NEW_DIR that is a URL"),
    ],
)
def test_what_needs_a_folder_says_so(arguments: list[str], words: str, tmp_path: Path) -> None:
    code, said = batch(*(text.format(here=tmp_path) for text in arguments))
    assert code == ExitCode.USAGE
    assert words in " ".join(said.replace("│", " ").split())


def test_sources_among_the_results(s3: str, tmp_path: Path) -> None:
    code, said = batch(f"{s3}/below", s3, "--state", tmp_path / "state")
    assert code == ExitCode.BAD_DESTINATION
    assert "never written" in said["error"]


def test_a_bucket_that_is_not_there(s3: str, tmp_path: Path) -> None:
    code, said = batch(f"{s3}-absent", "s3://new/x", "--state", tmp_path / "state")
    assert code == ExitCode.BAD_CHECKPOINT
    assert said["error"].startswith("s3://zoo-absent")
