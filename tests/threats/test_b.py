"""B: batches that are ended at the worst moment, and what they leave alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hostile import module
from toys import toy

from mm_ckpt_migrate.batch.find import find_checkpoints
from mm_ckpt_migrate.errors import ExitCode
from mm_ckpt_migrate.mapping.rules.library import rules_folder

zoos: Any = module("batch/zoos.py")
SIGKILL = -9
# What is done to a batch's process, and to its workers.
_SITE = """
import errno, os, sys

batch = "batch" in sys.orig_argv
worker = "mm_ckpt_migrate.batch.worker" in sys.orig_argv
do = os.environ["DO"]
if batch and do == "kill at the journal":
    from mm_ckpt_migrate.batch.journal import Journal
    Journal.record = lambda *_: os.kill(os.getpid(), 9)
if worker and do == "fail to sync":
    import mm_ckpt_migrate.batch.place as place

    def fail(folder):
        raise OSError(errno.EIO, "Input/output error")

    place.sync_folder = fail
if batch and do.startswith("rules in "):
    import pathlib
    import mm_ckpt_migrate.batch.fingerprints as fingerprints
    fingerprints.rules_folder = lambda: pathlib.Path(do.removeprefix("rules in "))
if worker and do.startswith("new file in "):
    import mm_ckpt_migrate.batch.work as work
    real = work.convert

    def convert(*args, **kwargs):
        with open(do.removeprefix("new file in ") + "/late.pth", "wb") as file:
            file.write(open(args[2], "rb").read())
        return real(*args, **kwargs)

    work.convert = convert
if worker and do == "kill at poison":
    import mm_ckpt_migrate.batch.work as work
    real = work.convert
    work.convert = lambda *args, **kwargs: (
        os.kill(os.getpid(), 9) if "poison" in args[2].name else real(*args, **kwargs)
    )
if do.startswith("log to "):
    log = os.open(do.removeprefix("log to "), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    changes = ("os.mkdir", "os.rename", "os.link", "os.symlink", "os.remove", "os.rmdir",
               "os.truncate", "os.chmod", "os.utime", "sqlite3.connect")
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

    def watch(event, args):
        if event in changes or event == "open" and args[2] & writing and args[0] != os.devnull:
            os.write(log, f"{event} {args[0]}\\n".encode())

    sys.addaudithook(watch)
"""


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    (tmp_path / "zoo").mkdir()
    (tmp_path / "zoo" / "a.pth").write_bytes(toy())
    return tmp_path / "zoo"


@pytest.fixture(autouse=True)
def _site(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(_SITE)


def batch(zoo: Path, *options: str, do: str = "") -> subprocess.CompletedProcess[str]:
    """A batch from `zoo` to the folder beside it."""
    env = {**os.environ, "PYTHONPATH": str(zoo.parent / "site"), "DO": do}
    env |= {"PYTHONDONTWRITEBYTECODE": "1"}
    done: subprocess.CompletedProcess[str] = zoos.batch(
        zoo, zoo.with_name("new"), "--jobs", "1", *options, env=env
    )
    assert "Traceback" not in done.stderr
    return done


def test_b1_killed_between_the_file_and_the_journal(zoo: Path) -> None:
    new = zoo.with_name("new")
    assert batch(zoo, do="kill at the journal").returncode == SIGKILL
    before = zoos.digest(new / "a.pth")
    assert batch(zoo).returncode == ExitCode.OK
    assert zoos.digest(new / "a.pth") == before
    assert zoos.entries(new)["a.pth"]["outcome"]["status"] == "migrated"
    assert "; 0 to be done now" in batch(zoo).stderr


def test_b2_what_is_not_on_the_disk_is_not_done(zoo: Path) -> None:
    done = batch(zoo, do="fail to sync")
    assert done.returncode == ExitCode.INCOMPLETE
    outcome = zoos.entries(zoo.with_name("new"))["a.pth"]["outcome"]
    assert (outcome["status"], outcome["exit_code"]) == ("refused", ExitCode.BAD_DESTINATION)
    done = batch(zoo)
    assert "; 1 to be done now" in done.stderr
    assert done.returncode == ExitCode.OK


@pytest.mark.parametrize("damage", [b"", b"SQLite format 3\0", bytes(range(256)) * 20])
def test_b3_what_a_damaged_journal_knew_is_known_by_the_results(damage: bytes, zoo: Path) -> None:
    new = zoo.with_name("new")
    batch(zoo)
    before = (new / "a.pth").stat()
    (new / zoos.STATE / "journal.sqlite").write_bytes(damage)
    assert "; 1 to be done now" in batch(zoo).stderr
    after = (new / "a.pth").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_k4_b6_a_file_that_kills_its_workers(zoo: Path) -> None:
    """Twice, and no more; the others are done."""
    (zoo / "poison.pth").write_bytes(toy())
    done = batch(zoo, do="kill at poison")
    assert done.returncode == ExitCode.INCOMPLETE
    found = zoos.entries(zoo.with_name("new"))
    assert found["a.pth"]["outcome"]["status"] == "migrated"
    assert found["poison.pth"]["outcome"]["status"] == "failed"
    assert "signal 9" in found["poison.pth"]["outcome"]["summary"]


def test_b5_other_rules_are_other_results(zoo: Path, tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    for path in rules_folder().glob("*.yaml"):
        (tmp_path / "rules" / path.name).write_bytes(path.read_bytes())
    rules = f"rules in {tmp_path / 'rules'}"
    batch(zoo, do=rules)
    time.sleep(0.1)
    assert "; 0 to be done now" in batch(zoo, do=rules).stderr
    with (tmp_path / "rules" / "maskformer.yaml").open("a") as file:
        file.write("# a remark\n")
    assert "; 1 to be done now" in batch(zoo, do=rules).stderr


def test_b9_workers_know_nothing_of_the_journal() -> None:
    script = (
        "import sys, mm_ckpt_migrate.batch.worker\n"
        "print([m for m in sys.modules if m in ('sqlite3', 'mm_ckpt_migrate.batch.journal')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout == b"[]\n"


def test_b10_ten_thousand_files_are_found_at_once(tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / f"{number}").mkdir()
        for name in range(100):
            (tmp_path / f"{number}" / f"{name}.pth").touch()
    (tmp_path / "7" / "loop").symlink_to(tmp_path)
    begun = time.process_time()
    assert len(find_checkpoints(tmp_path, without=tmp_path / "new")) == 10_000
    assert time.process_time() - begun < 5


def test_b10_b12_b14_what_comes_late_waits_and_all_can_be_taken_back(zoo: Path) -> None:
    """The plan is made first; the report says what was made, and nothing else was."""
    (zoo / "broken.pth").write_bytes(b"<html>")
    new, before = zoo.with_name("new"), {p: p.stat() for p in zoo.iterdir()}
    batch(zoo, do=f"new file in {zoo}")
    assert (zoo / "late.pth").exists()
    found = zoos.entries(new)
    assert sorted(found) == ["a.pth", "broken.pth"]
    for path, status in before.items():
        now = path.stat()
        assert (now.st_mtime_ns, now.st_ino) == (status.st_mtime_ns, status.st_ino)
    report = json.loads((new / "batch.json").read_text())
    for entry in report["entries"]:
        if entry["outcome"]["status"] == "migrated":
            (new / entry["outcome"]["destination"]).unlink()
    assert sorted(os.listdir(new)) == sorted([zoos.STATE, "batch.json", "batch.html"])


def test_b13_a_dry_run_opens_nothing_for_writing(zoo: Path, tmp_path: Path) -> None:
    """Nor is anything changed otherwise; workers' messages go to a nameless file elsewhere."""
    log = tmp_path / "log"
    assert batch(zoo, "--dry-run", do=f"log to {log}").returncode == ExitCode.OK
    assert str(tmp_path) not in log.read_text()
    batch(zoo, do=f"log to {log}")
    assert f"{tmp_path}/new" in log.read_text()  # the watcher would have seen it


def test_b4_i12_an_old_time_is_no_proof(zoo: Path) -> None:
    """Another file of the same name, size and time of change is another file."""
    old = zoo / "a.pth"
    before = old.stat()
    batch(zoo)
    old.write_bytes(toy(None, {"0": bytes(8)}))
    os.utime(old, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert old.stat().st_size == before.st_size
    assert "; 1 to be done now" in batch(zoo).stderr
    assert bytes(8) in (zoo.with_name("new") / "a.pth").read_bytes()
