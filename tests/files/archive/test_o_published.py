"""O3 and O5: several files get their names or none, and what is there can be told at any moment."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from mm_ckpt_migrate.errors import DestinationError
from mm_ckpt_migrate.files.archive import publish
from mm_ckpt_migrate.files.archive.publish import Draft, publish_bytes, publish_together
from mm_ckpt_migrate.files.archive.published import all_or_none, watched

NAMES = ("config.py", "plan.json", "new.pth")


def together(folder: Path, *, force: bool) -> None:
    with ExitStack() as stack:
        drafts = [stack.enter_context(Draft(folder / name, 0o644)) for name in NAMES]
        for draft in drafts:
            draft.write(0, b"new")
        publish_together(drafts, force=force)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(params=["absent", "before"])
def before(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, bytes]:
    for name in NAMES if request.param == "before" else ():
        (tmp_path / name).write_bytes(f"before {name}".encode())
    return contents(tmp_path)


def test_all(before: dict[str, bytes], tmp_path: Path) -> None:
    together(tmp_path, force=bool(before))
    assert contents(tmp_path) == dict.fromkeys(NAMES, b"new")


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), KeyboardInterrupt()])
@pytest.mark.parametrize("when", [0, 1, 2])
@pytest.mark.parametrize("after", [False, True], ids=["before it has its name", "after"])
def test_none(
    error: BaseException,
    when: int,
    after: bool,
    before: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, calls = Draft._name, []

    def strike(self: Draft, force: bool) -> None:
        calls.append(self.path.name)
        if len(calls) - 1 == when and not after:
            raise error
        real(self, force)
        if len(calls) - 1 == when:
            raise error

    monkeypatch.setattr(Draft, "_name", strike)
    with watched() as published, pytest.raises((DestinationError, KeyboardInterrupt)):
        together(tmp_path, force=bool(before))
    assert calls == list(NAMES[: when + 1])
    assert contents(tmp_path) == before
    assert published.there() == []


def test_a_disk_that_fails_at_the_very_end(
    before: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The names are given and cannot be had on the disk."""
    real, calls = publish.sync_folder, []

    def fail(folder: Path) -> None:
        calls.append(folder)
        if len(calls) == 3:
            raise OSError(5, "Input/output error")
        real(folder)

    monkeypatch.setattr(publish, "sync_folder", fail)
    with pytest.raises(DestinationError, match=r"new.pth: cannot be written"):
        together(tmp_path, force=bool(before))
    assert contents(tmp_path) == before


def test_one_that_somebody_else_made_meanwhile(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_bytes(b"theirs")
    with pytest.raises(DestinationError, match="made by somebody else meanwhile"):
        together(tmp_path, force=False)
    assert contents(tmp_path) == {"plan.json": b"theirs"}


def test_where_a_file_can_have_one_name_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was there before cannot be kept: it stays replaced, and that is told."""
    (tmp_path / "config.py").write_bytes(b"before")
    real = os.link

    def refuse(source: object, *more: object, **others: object) -> None:
        if source == tmp_path / "config.py":
            raise OSError(1, "Operation not permitted")
        real(source, *more, **others)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "link", refuse)

    def interrupted() -> None:
        with all_or_none():
            publish_bytes(tmp_path / "config.py", b"new", force=True)
            publish_bytes(tmp_path / "plan.json", b"new", force=True)
            raise KeyboardInterrupt

    with watched() as published, pytest.raises(KeyboardInterrupt):
        interrupted()
    assert contents(tmp_path) == {"config.py": b"new"}
    assert published.there() == [tmp_path / "config.py"]


def test_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with watched() as published:
        publish_bytes(Path("a"), b"a", force=False)
        publish_bytes(Path("b"), b"b", force=False)
        os.unlink("b")
        assert published.there() == [tmp_path / "a"]
    publish_bytes(Path("c"), b"c", force=False)
    assert published.there() == [tmp_path / "a"]


def test_no_descriptor_and_no_second_name_stays(before: dict[str, bytes], tmp_path: Path) -> None:
    held = os.listdir("/proc/self/fd")
    together(tmp_path, force=bool(before))
    assert len(os.listdir("/proc/self/fd")) == len(held)
    assert all(path.stat().st_nlink == 1 for path in tmp_path.iterdir())
