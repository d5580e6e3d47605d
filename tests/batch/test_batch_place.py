"""I5, I7, I8: where a result of a batch goes, and what it never replaces."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from mm_ckpt_migrate.batch import place as room
from mm_ckpt_migrate.batch.place import place, prepare
from mm_ckpt_migrate.errors import DestinationError

DATA = b"made"
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def made(tmp_path: Path) -> Path:
    path = tmp_path / "made"
    path.write_bytes(DATA)
    return path


@pytest.mark.parametrize("replaces", [False, True])
def test_a_new_name(replaces: bool, made: Path, tmp_path: Path) -> None:
    place(made, DIGEST, tmp_path / "final", replaces=replaces)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"final": DATA}


def test_the_same_bytes_are_there_already(made: Path, tmp_path: Path) -> None:
    final = tmp_path / "final"
    final.write_bytes(DATA)
    before = final.stat()
    place(made, DIGEST, final, replaces=False)
    assert not made.exists()
    assert (final.stat().st_ino, final.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("kind", ["other", "link", "folder"])
def test_another_file_is_there(kind: str, made: Path, tmp_path: Path) -> None:
    final = tmp_path / "final"
    if kind == "other":
        final.write_bytes(b"other")
    elif kind == "link":
        # Even to the same bytes: somebody else may change them.
        (tmp_path / "same").write_bytes(DATA)
        final.symlink_to("same")
    else:
        final.mkdir()
    with pytest.raises(DestinationError, match="no batch made"):
        place(made, DIGEST, final, replaces=False)
    assert made.read_bytes() == DATA
    assert final.is_symlink() == (kind == "link")


def test_another_file_is_replaced_where_that_is_wanted(made: Path, tmp_path: Path) -> None:
    (tmp_path / "final").write_bytes(b"other")
    place(made, DIGEST, tmp_path / "final", replaces=True)
    assert (tmp_path / "final").read_bytes() == DATA
    assert not made.exists()


@pytest.mark.parametrize("kind", ["link", "folder"])
def test_links_and_folders_are_never_replaced(kind: str, made: Path, tmp_path: Path) -> None:
    final = tmp_path / "final"
    final.mkdir() if kind == "folder" else final.symlink_to("elsewhere")
    with pytest.raises(DestinationError, match="never replaced"):
        place(made, DIGEST, final, replaces=True)
    assert made.exists()


@pytest.mark.parametrize("replaces", [False, True])
def test_the_folder_is_synced_behind_it(
    replaces: bool, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[list[str]] = []
    monkeypatch.setattr(room, "sync_folder", lambda folder: synced.append(os.listdir(folder)))
    place(made, DIGEST, tmp_path / "final", replaces=replaces)
    assert synced == [["final"]]


def test_a_disk_that_fails(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(room, "sync_folder", fail)
    with pytest.raises(DestinationError, match="disk is full"):
        place(made, DIGEST, tmp_path / "final", replaces=False)


def test_folders_are_made(tmp_path: Path) -> None:
    results = tmp_path / "results"
    prepare(results / "a" / "b" / "x.pth", results)
    prepare(results / "a" / "b" / "x.pth", results)
    assert (results / "a" / "b").is_dir()


def test_i8_a_link_that_leads_out(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "results" / "a").symlink_to("../out")
    with pytest.raises(DestinationError, match="leads out"):
        prepare(tmp_path / "results" / "a" / "x.pth", tmp_path / "results")
    (tmp_path / "results" / "b").mkdir()
    (tmp_path / "results" / "c").symlink_to("b")
    prepare(tmp_path / "results" / "c" / "x.pth", tmp_path / "results")


def test_i5_a_folder_that_cannot_be_made_or_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DestinationError):
        prepare(tmp_path / "file" / "x.pth", tmp_path)
    asked: list[int] = []

    def refuse(_: Path, mode: int) -> bool:
        asked.append(mode)
        return False

    monkeypatch.setattr(os, "access", refuse)
    with pytest.raises(DestinationError, match="Permission denied"):
        prepare(tmp_path / "x.pth", tmp_path)
    assert asked == [os.W_OK | os.X_OK]


def test_k2_folders_are_on_the_disk_before_there_is_anything_in_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(room, "sync_folder", synced.append)
    results = tmp_path / "results"
    (results / "a" / "b").mkdir(parents=True)  # by another worker, which is not done with it
    prepare(results / "a" / "b" / "new.pth", results)
    assert synced == [results / "a", results]
    prepare(results / "new.pth", results)
    assert len(synced) == 2
