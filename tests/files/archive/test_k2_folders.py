"""K2: a folder that was made is there after a power cut, with all above it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mm_ckpt_migrate.files.archive import folders
from mm_ckpt_migrate.files.archive.folders import make_folder, sync_folder


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    done: list[str] = []
    monkeypatch.setattr(folders, "sync_folder", lambda folder: done.append(folder.name))
    return done


def test_the_folder_above_each_new_one_is_synced(tmp_path: Path, synced: list[str]) -> None:
    (tmp_path / "here").mkdir()
    make_folder(tmp_path / "here" / "a" / "b")
    assert (tmp_path / "here" / "a" / "b").is_dir()
    assert sorted(synced) == ["a", "here"]


def test_one_that_is_there_is_left_alone(tmp_path: Path, synced: list[str]) -> None:
    make_folder(tmp_path)
    assert not synced


def test_a_file_in_its_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(OSError, match="exists"):
        make_folder(tmp_path / "a")


def test_a_folder_is_synced_by_a_descriptor_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, str, bool]] = []

    def spy(fd: int) -> None:
        seen.append((fd, os.readlink(f"/proc/self/fd/{fd}"), os.get_inheritable(fd)))

    monkeypatch.setattr(os, "fsync", spy)
    sync_folder(tmp_path)
    ((fd, name, inherited),) = seen
    assert name == str(tmp_path.resolve())
    assert not inherited
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_only_a_folder_is_synced(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        sync_folder(tmp_path / "file")
