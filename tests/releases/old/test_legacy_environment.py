"""Environments are whole or absent, whatever happens while they are made."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.releases import NO_OLD_RELEASE, old_python

from mm_ckpt_migrate.errors import MissingSoftwareError
from mm_ckpt_migrate.releases.old import environment
from mm_ckpt_migrate.releases.old.environment import (
    PYTHON_VARIABLE,
    auto,
    busy,
    create,
    environment_of,
    found,
    named,
    remove,
    unfinished,
)
from mm_ckpt_migrate.releases.old.release import DEFAULT

Progress = Callable[[str], None]
VERSIONS = {"mmseg": "1.0.0rc4", "mmdet": "3.0.0rc4"}


def fill(_name: str, path: Path, _held: int, _progress: Progress) -> None:
    """What pip would do."""
    (path / "bin").mkdir()
    (path / "bin" / "python").symlink_to(sys.executable)
    (path / "large").write_bytes(b"x" * 1000)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The old release answers; gives the interpreters that were asked."""
    asked: list[Path] = []

    def ask(python: Path) -> dict[str, str]:
        asked.append(python)
        return dict(VERSIONS)

    monkeypatch.setattr(environment, "_ask", ask)
    return asked


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


def test_one_is_made_found_and_removed(folder: Path, answers: list[Path]) -> None:
    assert (found(), unfinished(), auto()) == ([], [], None)
    said: list[str] = []
    made = create(installer=fill, progress=said.append)
    assert (made.name, made.versions) == (DEFAULT, VERSIONS)
    assert made.python == folder / DEFAULT / "bin" / "python"
    # It was asked under the name that it was built under.
    assert [path.parents[1].name for path in answers] == [f".{DEFAULT}.building"]
    assert found() == [made] == [named(DEFAULT)]
    assert auto() == made
    assert any("is ready after" in line for line in said)
    assert stat.S_IMODE((folder / DEFAULT).stat().st_mode) == 0o700
    remove(DEFAULT)
    assert (found(), unfinished(), entries(folder)) == ([], [], [])


def test_one_that_is_there_is_left_as_it_is(folder: Path, answers: list[Path]) -> None:
    first = create(installer=fill)

    def never(*_arguments: object) -> None:
        pytest.fail("it was built again")

    assert create(installer=never) == first


@pytest.mark.parametrize("error", [MissingSoftwareError("no index"), KeyboardInterrupt()])
def test_what_fails_leaves_nothing(error: BaseException, folder: Path, answers: list[Path]) -> None:
    def fails(name: str, path: Path, held: int, progress: Progress) -> None:
        fill(name, path, held, progress)
        raise error

    with pytest.raises(type(error)):
        create(installer=fails)
    assert entries(folder) == []
    assert create(installer=fill) == found()[0]


def test_one_that_does_not_answer_never_gets_the_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(python: Path) -> dict[str, str]:
        raise MissingSoftwareError(f"{python} gave no answer")

    monkeypatch.setattr(environment, "_ask", ask)
    with pytest.raises(MissingSoftwareError, match="gave no answer"):
        create(installer=fill)
    assert entries(folder) == []


def killed_half_way(folder: Path) -> None:
    (folder / f".{DEFAULT}.building" / "bin").mkdir(parents=True)


def without_facts(folder: Path) -> None:
    (folder / DEFAULT).mkdir(parents=True)
    fill("", folder / DEFAULT, 0, lambda _: None)


def damaged_facts(folder: Path) -> None:
    without_facts(folder)
    (folder / DEFAULT / "legacy.json").write_text("[]")


def interpreter_gone(folder: Path) -> None:
    without_facts(folder)
    (folder / DEFAULT / "legacy.json").write_text('{"versions": {}}')
    (folder / DEFAULT / "bin" / "python").unlink()
    (folder / DEFAULT / "bin" / "python").symlink_to("/nowhere/python")


@pytest.mark.parametrize("leave", [killed_half_way, without_facts, damaged_facts, interpreter_gone])
def test_what_is_left_of_one_is_recognised(
    leave: Callable[[Path], None], folder: Path, answers: list[Path]
) -> None:
    leave(folder)
    assert (found(), unfinished(), busy(DEFAULT)) == ([], [DEFAULT], False)
    with pytest.raises(MissingSoftwareError, match="no environment of the old release"):
        named(DEFAULT)
    said: list[str] = []
    create(installer=fill, progress=said.append)
    assert "removing what is left of an earlier attempt" in said
    assert (len(found()), unfinished(), entries(folder)) == (1, [], [DEFAULT])


@pytest.mark.parametrize("leave", [killed_half_way, damaged_facts])
def test_what_is_left_of_one_can_be_removed(
    leave: Callable[[Path], None], folder: Path, answers: list[Path]
) -> None:
    leave(folder)
    remove(DEFAULT)
    assert entries(folder) == []
    with pytest.raises(MissingSoftwareError, match="no environment"):
        remove(DEFAULT)


def test_nothing_outside_the_folder_can_be_removed(folder: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    for name in ("../victim", str(victim), "..", "", "."):
        with pytest.raises(MissingSoftwareError):
            remove(name)
    assert victim.exists()


def test_two_at_once_make_one(folder: Path, answers: list[Path]) -> None:
    built: list[str] = []
    said: list[str] = []

    def slowly(name: str, path: Path, held: int, progress: Progress) -> None:
        built.append(name)
        time.sleep(0.3)
        fill(name, path, held, progress)

    threads = [
        threading.Thread(target=lambda: create(installer=slowly, progress=said.append)) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    assert busy(DEFAULT)
    for thread in threads:
        thread.join()
    assert len(built) == 1
    assert said.count("waiting for another process that is at work on it") == 2
    assert not busy(DEFAULT)


def test_what_a_killed_process_started_still_holds_the_lock(folder: Path, answers: list[Path]) -> None:
    """pip may outlive us: nobody may build in its folder then."""
    started: list[subprocess.Popen[bytes]] = []

    def orphan(name: str, path: Path, held: int, progress: Progress) -> None:
        fill(name, path, held, progress)
        started.append(subprocess.Popen(["sleep", "60"], pass_fds=(held,)))

    create(installer=orphan)
    assert busy(DEFAULT)
    started[0].kill()
    started[0].wait()
    assert not busy(DEFAULT)


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(environment.FOLDER_VARIABLE, str(tmp_path / "file"))
    with pytest.raises(MissingSoftwareError, match="file: ") as caught:
        create(installer=fill)
    assert environment.FOLDER_VARIABLE in caught.value.hint


def test_a_full_disk_is_said_so(folder: Path, answers: list[Path]) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(28, os.strerror(28))

    with pytest.raises(MissingSoftwareError, match="the disk is full"):
        create(installer=full)


def test_the_users_cache_folder_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(environment.FOLDER_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert environment.folder().parts[-2:] == ("mm-ckpt-migrate", "legacy")


# --- somebody's own interpreter -------------------------------------------------------------------


def test_no_interpreter(tmp_path: Path) -> None:
    with pytest.raises(MissingSoftwareError, match="there is no such interpreter"):
        environment_of(tmp_path / "python")


def test_something_that_is_no_interpreter(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program")
    with pytest.raises(MissingSoftwareError, match="cannot be run"):
        environment_of(tmp_path / "text")
    (tmp_path / "false").write_text("#!/bin/sh\necho no python >&2; exit 3\n")
    (tmp_path / "false").chmod(0o755)
    with pytest.raises(MissingSoftwareError, match=r"gave no answer.*status 3: no python"):
        environment_of(tmp_path / "false")


def test_an_interpreter_without_the_packages(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "empty")], check=True)
    with pytest.raises(MissingSoftwareError, match=r"has not what is needed.*No module named"):
        environment_of(tmp_path / "empty" / "bin" / "python")


@pytest.mark.mm
def test_the_current_release_is_not_an_old_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PYTHON_VARIABLE, sys.executable)
    with pytest.raises(MissingSoftwareError, match="not an old release"):
        auto()


@pytest.mark.skipif(old_python() is None, reason=NO_OLD_RELEASE)
def test_the_old_release_answers() -> None:
    python = old_python()
    assert python is not None
    versions = environment_of(python).versions
    assert (versions["mmseg"], versions["mmdet"][:5]) == ("1.0.0rc4", "3.0.0")
