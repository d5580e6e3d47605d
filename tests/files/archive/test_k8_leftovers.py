"""K8: what killed runs left is swept away, and nothing else is."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.files import write

from mm_ckpt_migrate.errors import DestinationError
from mm_ckpt_migrate.files.archive import leftovers
from mm_ckpt_migrate.files.archive.leftovers import draft_name, hold, open_draft, sweep
from mm_ckpt_migrate.files.archive.publish import check_destination

FLAGS = os.O_RDWR | os.O_CLOEXEC


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """What a run that was killed left behind."""
    return write(tmp_path, b"half a file", draft_name(tmp_path).name)


@pytest.fixture
def draft(tmp_path: Path) -> Iterator[Path]:
    """What a living run writes."""
    path, fd = open_draft(tmp_path, FLAGS, 0o644)
    yield path
    os.close(fd)


def test_a_draft_without_an_owner_is_swept(left: Path) -> None:
    sweep(left.parent)
    assert not left.exists()


def test_the_next_start_sweeps_even_where_it_is_refused(left: Path) -> None:
    old = write(left.parent, b"source")
    with pytest.raises(DestinationError, match="exists"):
        check_destination(write(left.parent, b"new", "new.pth"), old.stat(), force=False)
    assert sorted(os.listdir(left.parent)) == ["new.pth", "old.pth"]


def test_a_living_runs_draft_stays(draft: Path) -> None:
    sweep(draft.parent)
    assert draft.exists()


def test_it_goes_when_its_owner_has_ended(tmp_path: Path) -> None:
    path, fd = open_draft(tmp_path, FLAGS, 0o644)
    os.close(fd)
    sweep(tmp_path)
    assert not path.exists()


@pytest.mark.parametrize(
    "name",
    [
        "new.pth",
        ".mm-ckpt-migrate",
        ".mm-ckpt-migrate-notes.tmp",
        ".mm-ckpt-migrate-0123.tmp",
        "a.mm-ckpt-migrate-01234567-0123456789abcdef.tmp",
        ".mm-ckpt-migrate-01234567-0123456789abcdef.tmp.pth",
    ],
)
def test_files_of_other_names_stay(name: str, tmp_path: Path) -> None:
    path = write(tmp_path, b"mine", name)
    sweep(tmp_path)
    assert path.read_bytes() == b"mine"


def test_only_regular_files_go(tmp_path: Path) -> None:
    kept = [draft_name(tmp_path) for _ in range(3)]
    kept[0].mkdir()
    os.mkfifo(kept[1])
    kept[2].symlink_to(write(tmp_path, b"mine", "mine.pth"))
    sweep(tmp_path)
    assert all(map(os.path.lexists, kept))


def test_a_name_that_became_another_file_stays(left: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the lock and the removal somebody else's draft got the name."""
    lock = fcntl.flock

    def replaced(fd: int, how: int) -> None:
        lock(fd, how)
        os.replace(write(left.parent, b"another", "another"), left)

    monkeypatch.setattr(fcntl, "flock", replaced)
    sweep(left.parent)
    assert left.read_bytes() == b"another"


def test_a_draft_of_another_machine_goes_after_a_day(tmp_path: Path) -> None:
    """Its owner's lock may not be seen here."""
    path = write(tmp_path, b"far", f".mm-ckpt-migrate-{'0' * 8}-{'1' * 16}.tmp")
    sweep(tmp_path)
    assert path.exists()
    os.utime(path, (time.time() - 25 * 3600,) * 2)
    sweep(tmp_path)
    assert not path.exists()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EIO])
def test_where_nothing_can_be_locked_nothing_is_swept(
    number: int, left: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(fd: int, how: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", fail)
    sweep(left.parent)
    assert left.exists()
    path, fd = open_draft(left.parent, FLAGS, 0o644)
    os.close(fd)
    assert path.exists()


def test_a_sweep_that_comes_first_costs_a_name_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run's sweep sees the draft before its owner holds it."""
    lock, rivals = fcntl.flock, iter([True, False])

    def late(fd: int, how: int) -> None:
        if next(rivals, False):
            monkeypatch.setattr(fcntl, "flock", lock)
            sweep(tmp_path)
            monkeypatch.setattr(fcntl, "flock", late)
        lock(fd, how)

    monkeypatch.setattr(fcntl, "flock", late)
    path, fd = open_draft(tmp_path, FLAGS, 0o644)
    assert os.path.samestat(os.fstat(fd), path.stat())
    assert os.listdir(tmp_path) == [path.name]
    os.close(fd)


def test_a_sweep_that_holds_it_costs_a_name_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, asked = leftovers.hold, list[int]()

    def second(fd: int) -> bool:
        asked.append(fd)
        return len(asked) > 1 and real(fd)

    monkeypatch.setattr(leftovers, "hold", second)
    path, fd = open_draft(tmp_path, FLAGS, 0o644)
    assert os.listdir(tmp_path) == [path.name]
    assert asked == [fd, fd]  # the first one was closed, and its number is taken again
    os.close(fd)


def test_hold_says_who_is_first(left: Path) -> None:
    with left.open("rb") as first, left.open("rb") as second:
        assert hold(first.fileno())
        assert not hold(second.fileno())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anything")
def test_a_draft_that_is_read_only_goes(left: Path) -> None:
    left.chmod(0o400)
    sweep(left.parent)
    assert not left.exists()


def test_a_draft_that_may_not_be_written_is_opened_for_reading(
    left: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def read_only(path: Path, flags: int) -> int:
        if flags & os.O_RDWR:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path, flags)

    monkeypatch.setattr(os, "open", read_only)
    sweep(left.parent)
    assert not left.exists()


@pytest.mark.parametrize("writable", [True, False])
def test_opening_one_follows_no_link_and_waits_for_nobody(
    writable: bool, left: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a stranger puts there between the listing and the opening."""
    real, seen = os.open, list[int]()

    def spy(path: Path, flags: int) -> int:
        seen.append(flags)
        if flags & os.O_RDWR and not writable:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path, flags)

    monkeypatch.setattr(os, "open", spy)
    sweep(left.parent)
    wanted = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    assert [flags & ~os.O_ACCMODE for flags in seen] == [wanted] * (1 if writable else 2)


def test_a_folder_that_cannot_be_listed_is_left_alone(tmp_path: Path) -> None:
    sweep(tmp_path / "none")
