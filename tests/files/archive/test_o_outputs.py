"""O1 to O3: outputs that are one file, that are inputs, that cannot be written, that are there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mm_ckpt_migrate.errors import DestinationError
from mm_ckpt_migrate.files.archive import outputs as room
from mm_ckpt_migrate.files.archive.outputs import Output, check_outputs

Judge = Callable[..., tuple[str, ...]]


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    """Judge two outputs beside one input."""
    (tmp_path / "old.pth").write_bytes(b"old")

    def run(side: Path, new: Path | None = None, *, force: bool = True) -> tuple[str, ...]:
        outputs = [Output("--plan", side, force), Output("NEW", new or tmp_path / "new.pth", force)]
        return check_outputs(outputs, lambda: {"the source": [tmp_path / "old.pth"]})

    return run


def untouched(folder: Path) -> bool:
    return (folder / "old.pth").read_bytes() == b"old"


@pytest.mark.parametrize("name", ["new.pth", "./new.pth", "sub/../new.pth", "link/new.pth"])
def test_o1_two_that_are_one_file(name: str, judge: Judge, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(DestinationError, match="--plan and NEW are one file"):
        judge(tmp_path / name)


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_o1_two_names_of_one_file(link: Callable[[Path, Path], None], judge: Judge, tmp_path: Path) -> None:
    (tmp_path / "new.pth").write_bytes(b"before")
    link(tmp_path / "new.pth", tmp_path / "plan.json")
    with pytest.raises(DestinationError, match="are one file"):
        judge(tmp_path / "plan.json")
    assert (tmp_path / "new.pth").read_bytes() == b"before"


@pytest.mark.parametrize("ignores", [True, False])
def test_o1_names_that_differ_in_case(
    ignores: bool, judge: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not ignores:
        judge(tmp_path / "NEW.pth")
        return
    monkeypatch.setattr(room, "_ignores_case", lambda _: True)
    with pytest.raises(DestinationError, match="are one file"):
        judge(tmp_path / "NEW.pth")


def test_o1_whether_a_folder_ignores_case_is_tried_out(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert room._ignores_case(tmp_path) == (tmp_path / "A").exists()
    assert os.listdir(tmp_path) == ["a"]


def test_o1_one_in_the_others_folder(judge: Judge, tmp_path: Path) -> None:
    with pytest.raises(DestinationError, match="NEW is a file, and --plan lies in it"):
        judge(tmp_path / "new.pth" / "plan.json")


@pytest.mark.parametrize("how", ["name", "dots", "hard link", "link to it"])
def test_o1_an_output_that_is_an_input(how: str, judge: Judge, tmp_path: Path) -> None:
    side, old = tmp_path / "side", tmp_path / "old.pth"
    (tmp_path / "sub").mkdir()
    if how == "hard link":
        os.link(old, side)
    elif how == "link to it":
        side.symlink_to(old)
    else:
        side = old if how == "name" else tmp_path / "sub" / ".." / "old.pth"
    for outputs in ((side, None), (tmp_path / "plan.json", side)):
        with pytest.raises(DestinationError, match="it is the source itself, which is never"):
            judge(*outputs)
    assert untouched(tmp_path)


def test_o2_a_folder_that_is_missing(judge: Judge, tmp_path: Path) -> None:
    with pytest.raises(DestinationError, match="its folder does not exist"):
        judge(tmp_path / "no" / "plan.json")
    assert sorted(os.listdir(tmp_path)) == ["old.pth"]


def test_o2_a_folder_that_takes_no_file(
    judge: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `os.access` says of a full quota, or root of a read-only mount, is not enough."""
    (tmp_path / "sub").mkdir()
    real = os.open

    def refuse(path: str, flags: int, *more: int, **others: int) -> int:
        if str(path).startswith(str(tmp_path / "sub")) and flags & os.O_ACCMODE:
            raise OSError(122, "Disk quota exceeded")
        return real(path, flags, *more, **others)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(DestinationError, match="the disk is full"):
        judge(tmp_path / "sub" / "plan.json")


def test_o2_a_folder_that_will_be_made(tmp_path: Path) -> None:
    page = tmp_path / "a" / "b" / "report.html"
    check_outputs([Output("--report", page, makes_folder=True)], dict)
    assert os.listdir(tmp_path) == []
    (tmp_path / "a").write_bytes(b"a file")
    with pytest.raises(DestinationError, match="it is not a folder"):
        check_outputs([Output("--report", page, makes_folder=True)], dict)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("kind", ["folder", "fifo", "link"])
def test_o3_what_is_no_file_is_never_replaced(kind: str, force: bool, judge: Judge, tmp_path: Path) -> None:
    side = tmp_path / "plan.json"
    {"folder": side.mkdir, "fifo": lambda: os.mkfifo(side), "link": lambda: side.symlink_to("nowhere")}[
        kind
    ]()
    with pytest.raises(DestinationError, match=r"regular file|symbolic link"):
        judge(side, force=force)


def test_o3_a_file_that_is_there(judge: Judge, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_bytes(b"mine")
    with pytest.raises(DestinationError, match="the destination exists") as caught:
        judge(tmp_path / "plan.json", force=False)
    assert "NEW is not there: a run that was killed may have left this file" in caught.value.hint
    (tmp_path / "new.pth").write_bytes(b"before")
    with pytest.raises(DestinationError, match="the destination exists") as caught:
        judge(tmp_path / "plan.json", force=False)
    assert "killed" not in caught.value.hint
    judge(tmp_path / "plan.json", force=True)


def test_o3_force_is_for_one_kind(tmp_path: Path) -> None:
    side = tmp_path / "plan.json"
    side.write_bytes(b"mine")
    for fits in (False, True):
        output = Output(
            option="--plan", path=side, force=True, kind="a plan", is_kind=lambda _, fits=fits: fits
        )
        if fits:
            check_outputs([output], dict)
            continue
        with pytest.raises(DestinationError, match="it is not a plan, and --plan replaces nothing"):
            check_outputs([output], dict)
    assert side.read_bytes() == b"mine"


def test_what_killed_runs_left_is_named(judge: Judge, tmp_path: Path) -> None:
    from mm_ckpt_migrate.files.archive.leftovers import draft_name

    left = draft_name(tmp_path)
    left.write_bytes(b"half")
    said = f"{left}, which a killed run had left, was removed"
    assert judge(tmp_path / "plan.json") == (said,)
    assert not left.exists()
