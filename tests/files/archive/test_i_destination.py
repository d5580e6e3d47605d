"""I5 to I9: a destination that must not or cannot be written is refused before anything is read."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from support.files import write

from mm_ckpt_migrate.errors import DestinationError
from mm_ckpt_migrate.files.archive.publish import check_destination, check_space


def refusal(new: Path, old: Path, *, force: bool = False) -> str:
    with pytest.raises(DestinationError) as caught:
        check_destination(new, old.stat(), force=force)
    assert caught.value.hint
    return caught.value.reason


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return write(tmp_path, b"source")


def test_a_new_name_in_an_existing_folder(old: Path) -> None:
    check_destination(old.with_name("new.pth"), old.stat(), force=False)


@pytest.mark.parametrize("force", [False, True])
def test_i5_folder_is_missing(old: Path, force: bool) -> None:
    assert "does not exist" in refusal(old.parent / "no" / "new.pth", old, force=force)


def test_i5_folder_is_a_file(old: Path) -> None:
    assert "is no folder" in refusal(old / "new.pth", old)


@pytest.mark.parametrize("name", ["n" * 256, "n" * 5000])
def test_i5_name_is_too_long(name: str, old: Path) -> None:
    refusal(old.parent / name, old)


def test_i5_folders_name_is_too_long(old: Path) -> None:
    refusal(old.parent / ("n" * 300) / "new.pth", old)


def test_i11_longest_name(old: Path) -> None:
    check_destination(old.parent / ("n" * 255), old.stat(), force=False)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_i5_folder_cannot_be_written_to(old: Path) -> None:
    folder = old.parent / "locked"
    folder.mkdir(mode=0o500)
    assert "cannot be written" in refusal(folder / "new.pth", old)


def test_i5_the_same_for_root(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a disk that is mounted read-only, say."""
    asked: list[tuple[Path, int]] = []

    def refuse(path: Path, mode: int) -> bool:
        asked.append((path, mode))
        return False

    monkeypatch.setattr(os, "access", refuse)
    assert "cannot be written" in refusal(old.parent / "new.pth", old)
    assert asked == [(old.parent, os.W_OK | os.X_OK)]


def test_i2_a_file_system_that_cannot_tell_its_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "statvfs", fail)
    with pytest.raises(DestinationError, match="Input/output error"):
        check_space(tmp_path / "new.pth", 1)


def test_existing_file_needs_force(old: Path) -> None:
    new = write(old.parent, b"before", "new.pth")
    assert "exists" in refusal(new, old)
    check_destination(new, old.stat(), force=True)


@pytest.mark.parametrize("force", [False, True])
def test_i7_source_itself(old: Path, force: bool) -> None:
    assert "source itself" in refusal(old, old, force=force)
    assert "source itself" in refusal(old.parent / "." / ".." / old.parent.name / old.name, old)


@pytest.mark.parametrize("force", [False, True])
def test_i7_hard_link_to_the_source(old: Path, force: bool) -> None:
    link = old.with_name("link.pth")
    link.hardlink_to(old)
    assert "source itself" in refusal(link, old, force=force)


def test_i7_source_through_a_linked_folder(old: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.symlink_to(old.parent)
    assert "source itself" in refusal(folder / old.name, old, force=True)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("target", ["old.pth", "other.pth", "nowhere"])
def test_i8_symbolic_link(old: Path, target: str, force: bool) -> None:
    write(old.parent, b"other", "other.pth")
    link = old.with_name("link.pth")
    link.symlink_to(target)
    assert "symbolic link" in refusal(link, old, force=force)


@pytest.mark.parametrize("force", [False, True])
def test_folder_or_fifo_as_destination(old: Path, force: bool) -> None:
    (old.parent / "folder").mkdir()
    os.mkfifo(old.parent / "fifo")
    assert "not a regular file" in refusal(old.parent / "folder", old, force=force)
    assert "not a regular file" in refusal(old.parent / "fifo", old, force=force)
    refusal(Path("/"), old, force=force)


def test_i6_space_is_checked_beforehand(tmp_path: Path) -> None:
    check_space(tmp_path / "new.pth", 1)
    with pytest.raises(DestinationError, match="disk is full"):
        check_space(tmp_path / "new.pth", 1 << 62)
