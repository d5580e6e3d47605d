"""K1 to K9, I1 to I3, I10, I13: a new file appears whole or not at all; nothing stays behind."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.files import write

from mm_ckpt_migrate.errors import DestinationError
from mm_ckpt_migrate.files.archive.publish import Draft, publish_bytes

DATA = b"new content"


@pytest.fixture(params=["unnamed", "named"])
def draft_kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Twice: as usual, and as on a file system without O_TMPFILE (I13)."""
    if request.param == "named":
        real = os.open

        def refuse(path: str, flags: int, mode: int = 0o777, **kwargs: int) -> int:
            if flags & os.O_TMPFILE == os.O_TMPFILE:
                raise OSError(errno.EOPNOTSUPP, "Operation not supported")
            return real(path, flags, mode, **kwargs)

        monkeypatch.setattr(os, "open", refuse)
    return str(request.param)


@pytest.fixture(autouse=True)
def _no_descriptor_is_lost() -> Iterator[None]:
    before = len(os.listdir("/proc/self/fd"))
    yield
    assert len(os.listdir("/proc/self/fd")) == before


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def make(path: Path, *, force: bool = False, data: bytes = DATA) -> None:
    with Draft(path, 0o644) as draft:
        draft.write(0, data)
        draft.publish(force=force)


def test_published(draft_kind: str, tmp_path: Path) -> None:
    make(tmp_path / "new.pth")
    assert (tmp_path / "new.pth").read_bytes() == DATA
    assert names(tmp_path) == ["new.pth"]


def test_i13_only_the_fallback_has_a_name_while_it_is_written(draft_kind: str, tmp_path: Path) -> None:
    with Draft(tmp_path / "new.pth", 0o644):
        assert len(names(tmp_path)) == (draft_kind == "named")
        assert "new.pth" not in names(tmp_path)


def test_k6_two_drafts_of_one_name_do_not_meet(draft_kind: str, tmp_path: Path) -> None:
    path = tmp_path / "new.pth"
    with Draft(path, 0o644) as one, Draft(path, 0o644) as two:
        one.write(0, b"one")
        two.write(0, b"two")
        one.publish(force=False)
        with pytest.raises(DestinationError, match="by somebody else"):
            two.publish(force=False)
    assert path.read_bytes() == b"one"
    assert names(tmp_path) == ["new.pth"]


def test_k5_both_with_force(draft_kind: str, tmp_path: Path) -> None:
    path = tmp_path / "new.pth"
    with Draft(path, 0o644) as one, Draft(path, 0o644) as two:
        one.write(0, b"one")
        two.write(0, b"two")
        one.publish(force=True)
        two.publish(force=True)
    assert path.read_bytes() == b"two"
    assert names(tmp_path) == ["new.pth"]


def break_off(path: Path, kind: type[BaseException]) -> None:
    with Draft(path, 0o644) as draft:
        draft.write(0, DATA)
        raise kind


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_k3_discarded(draft_kind: str, kind: type[BaseException], tmp_path: Path) -> None:
    with pytest.raises(kind):
        break_off(tmp_path / "new.pth", kind)
    assert names(tmp_path) == []


def test_k9_a_reader_sees_the_old_or_the_new(draft_kind: str, tmp_path: Path) -> None:
    path = write(tmp_path, b"before", "new.pth")
    backup = tmp_path / "backup.pth"
    backup.hardlink_to(path)
    with path.open("rb") as reader, Draft(path, 0o644) as draft:
        draft.write(0, DATA)
        assert path.read_bytes() == b"before"
        draft.publish(force=True)
        assert reader.read() == b"before"
    assert path.read_bytes() == DATA
    assert backup.read_bytes() == b"before"
    assert names(tmp_path) == ["backup.pth", "new.pth"]


def test_force_without_a_file_to_replace(draft_kind: str, tmp_path: Path) -> None:
    make(tmp_path / "new.pth", force=True)
    assert names(tmp_path) == ["new.pth"]


def test_i10_mode_is_kept_but_for_the_umask(draft_kind: str, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        for mode, kept in ((0o644, 0o640), (0o600, 0o600), (0o666, 0o640)):
            with Draft(tmp_path / f"{mode:o}", mode) as draft:
                draft.publish(force=False)
            assert (tmp_path / f"{mode:o}").stat().st_mode & 0o777 == kept
    finally:
        os.umask(before)


class Failing:
    """A system call that always fails."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.calls = 0

    def __call__(self, *_: object, **__: object) -> int:
        self.calls += 1
        raise OSError(self.number, os.strerror(self.number))


FAULTS = [
    ("pwrite", errno.ENOSPC, "disk is full"),
    ("pwrite", errno.EDQUOT, "disk is full"),
    ("pwrite", errno.EIO, "cannot be written"),
    ("ftruncate", errno.EFBIG, "cannot be written"),
    ("fsync", errno.EIO, "cannot be written"),
    ("fsync", errno.ENOSPC, "disk is full"),
    ("link", errno.EPERM, "cannot be written"),
    ("link", errno.ENOSPC, "disk is full"),
]


@pytest.mark.parametrize(("call", "number", "reason"), FAULTS)
def test_i1_i2_faults_leave_nothing(
    call: str, number: int, reason: str, draft_kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = Failing(number)
    with Draft(tmp_path / "new.pth", 0o644) as draft:
        monkeypatch.setattr(os, call, failing)
        with pytest.raises(DestinationError, match=reason):
            fill_and_publish(draft)
    assert names(tmp_path) == []
    assert failing.calls == 1


def fill_and_publish(draft: Draft) -> None:
    draft.resize(100)
    draft.write(0, DATA)
    draft.publish(force=False)


@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_i2_faults_with_force_keep_the_old_file(
    call: str, draft_kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, b"before", "new.pth")
    monkeypatch.setattr(os, call, Failing(errno.EIO))
    with pytest.raises(DestinationError, match="cannot be written"):
        make(path, force=True)
    assert path.read_bytes() == b"before"
    assert names(tmp_path) == ["new.pth"]


def test_i3_short_writes_are_looped_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: real(fd, data[:3], at))
    make(tmp_path / "new.pth", data=b"0123456789" * 10)
    assert (tmp_path / "new.pth").read_bytes() == b"0123456789" * 10


def test_the_folder_vanished_meanwhile(draft_kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with Draft(folder / "new.pth", 0o644) as draft:
        for name in names(folder):
            (folder / name).unlink()
        folder.rmdir()
        with pytest.raises(DestinationError):
            draft.publish(force=False)


def test_a_folder_that_cannot_hold_a_draft(tmp_path: Path) -> None:
    with pytest.raises(DestinationError):
        Draft(tmp_path / "none" / "new.pth", 0o644)


@pytest.mark.parametrize("missing", ["O_TMPFILE", "/proc"])
def test_i13_a_system_without_unnamed_files(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if missing == "O_TMPFILE":
        monkeypatch.delattr(os, "O_TMPFILE")
    else:
        monkeypatch.setattr(Path, "is_dir", lambda _: False)
    with Draft(tmp_path / "new.pth", 0o644) as draft:
        (name,) = names(tmp_path)
        assert name.startswith(".mm-ckpt-migrate-")
        draft.write(0, DATA)
        draft.publish(force=False)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"new.pth": DATA}


def test_i2_a_draft_that_the_disk_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no second attempt with a name."""
    asked: list[object] = []

    def fail(path: Path, *_: int) -> int:
        asked.append(path)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(DestinationError, match="disk is full"):
        Draft(tmp_path / "new.pth", 0o644)
    assert asked == [tmp_path]


def test_k2_file_and_folder_are_synced_in_this_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync, link = os.fsync, os.link

    def spy_fsync(fd: int) -> None:
        done.append("folder" if os.path.isdir(f"/proc/self/fd/{fd}") else "file")
        fsync(fd)

    def spy_link(*args: object, **kwargs: object) -> None:
        done.append("link")
        link(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "fsync", spy_fsync)
    monkeypatch.setattr(os, "link", spy_link)
    make(tmp_path / "new.pth")
    assert done == ["file", "link", "folder"]


def test_a_small_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    before = os.umask(0)
    try:
        publish_bytes(path, b"first", 0o640, force=False)
    finally:
        os.umask(before)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"first", 0o640)
    with pytest.raises(DestinationError):
        publish_bytes(path, b"second", force=False)
    assert path.read_bytes() == b"first"
    publish_bytes(path, b"third", force=True)
    assert path.read_bytes() == b"third"
    assert os.listdir(tmp_path) == ["report.json"]
