"""What is made from private files is private, and no copy gives its user's rights to others."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from zoos import STATE, batch, golden_path

from mm_ckpt_migrate.files.archive.privacy import as_private_as, hidden_bits, make_private


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def zoo_of(folder: Path, **modes: int) -> Path:
    zoo = folder / "zoo"
    zoo.mkdir()
    for name, its in modes.items():
        shutil.copy(golden_path(name), zoo / f"{name}.pth")
        (zoo / f"{name}.pth").chmod(its)
    return zoo


@pytest.mark.parametrize("given", [0o6755, 0o4700, 0o2640, 0o1644])
def test_copies_have_no_special_rights(given: int, tmp_path: Path) -> None:
    zoo, new = zoo_of(tmp_path, vit_upernet=given), tmp_path / "new"
    if mode(zoo / "vit_upernet.pth") != given:
        pytest.skip("this file system has no such modes")
    for how in ((), ("--link",)):
        batch(zoo, new, *how)
        assert mode(new / "vit_upernet.pth") == given & 0o777 & ~0o022
        shutil.rmtree(new)


ROOT = ("batch.json", "batch.html", f"{STATE}/journal.sqlite", "renamed.csv")


@pytest.mark.parametrize("private", [0o600, 0o640, 0o400])
def test_what_tells_of_a_private_file_is_private(private: int, tmp_path: Path) -> None:
    zoo, new = zoo_of(tmp_path, rpn_r18=private, yolact_r18=0o644), tmp_path / "new"
    batch(zoo, new, "--publish")
    made = {name: mode(new / name) for name in ROOT if (new / name).exists()}
    assert made.keys() >= {"batch.json", f"{STATE}/journal.sqlite", "renamed.csv"}
    assert set(made.values()) == {0o644 & (private | 0o200)}
    public, hidden = (next(new.glob(f"{name}*.pth")) for name in ("yolact", "rpn"))
    assert (mode(public), mode(hidden)) == (0o644, private)


def test_a_journal_that_was_open_is_closed_when_a_private_file_comes(tmp_path: Path) -> None:
    zoo, new = zoo_of(tmp_path, yolact_r18=0o644), tmp_path / "new"
    batch(zoo, new)
    journal = new / STATE / "journal.sqlite"
    assert mode(journal) == mode(new / "batch.json") == 0o644
    shutil.copy(golden_path("rpn_r18"), zoo / "rpn.pth")
    (zoo / "rpn.pth").chmod(0o600)
    batch(zoo, new)
    assert mode(journal) == mode(new / "batch.json") == 0o600
    with sqlite3.connect(journal) as connection:
        assert connection.execute("SELECT count(*) FROM inputs").fetchone() == (2,)


@pytest.mark.mm
@pytest.mark.parametrize("private", ["source", "new", None])
def test_reports_and_records_of_verify(private: str | None, tmp_path: Path) -> None:
    old, new = tmp_path / "old.pth", tmp_path / "new.pth"
    shutil.copy(golden_path("rpn_r18"), old)
    command = [sys.executable, "-m", "mm_ckpt_migrate"]
    line = ["convert", "auto", "embedded", old, new]
    subprocess.run([*command, *line], check=True, capture_output=True)
    old.chmod(0o600 if private == "source" else 0o644)
    new.chmod(0o600 if private == "new" else 0o644)
    line = ["verify", new, "--source", old, "--report", tmp_path / "page", "--no-cache"]
    subprocess.run([*command, *line], check=False, capture_output=True)
    page = tmp_path / "page"
    assert mode(page) == (0o755 if private is None else 0o700)
    for name in ("report.json", "report.html"):
        assert mode(page / name) == (0o644 if private is None else 0o600)


@pytest.mark.parametrize(
    ("modes", "hidden"),
    [((), 0), ((0o644,), 0o022), ((0o600,), 0o077), ((0o664, 0o640), 0o027), ((0o604,), 0o072)],
)
def test_what_files_hide(modes: tuple[int, ...], hidden: int, tmp_path: Path) -> None:
    files = []
    for number, its in enumerate(modes):
        files.append(tmp_path / str(number))
        files[-1].touch()
        files[-1].chmod(its)
    assert hidden_bits([*files, None, tmp_path / "gone", Path("a\0b")]) == hidden
    with as_private_as(files):
        (tmp_path / "made").touch()
    (tmp_path / "after").touch()
    assert mode(tmp_path / "made") == 0o666 & ~(hidden | 0o022)
    assert mode(tmp_path / "after") == 0o644
    make_private(tmp_path / "after", files)
    assert mode(tmp_path / "after") == 0o644 & ~hidden


def test_a_failure_gives_the_umask_back(tmp_path: Path) -> None:
    (tmp_path / "a").touch(0o600)
    with pytest.raises(OSError, match="told"), as_private_as([tmp_path / "a"]):
        raise OSError("told")
    assert os.umask(0o022) == 0o022
