"""What pip is asked for, and what is said where it fails. Nothing is downloaded here."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from mm_ckpt_migrate.errors import MissingSoftwareError
from mm_ckpt_migrate.releases.old.environment import create
from mm_ckpt_migrate.releases.old.install import PYTHONS, base_python, explained
from mm_ckpt_migrate.releases.old.release import DEFAULT, lock_named

FITS = sys.version_info[:2] in PYTHONS

# Stands in for every interpreter: as `-m venv` it copies itself, as pip it does as it is told.
PYTHON = """\
#!/bin/sh
echo "$@" >> "{log}"
case "$*" in
  *sys.version_info*) echo 3 11 ;;
  *"-m venv"*) for last; do :; done; mkdir -p "$last/bin" && cp "$0" "$last/bin/python" ;;
  *"-m pip"*) {pip} ;;
  *) echo "no probe here" >&2; exit 1 ;;
esac
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def python(log: Path, pip: str = "true") -> Path:
    path = log.with_name("python")
    path.write_text(PYTHON.format(log=log, pip=pip))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def attempt(log: Path, pip: str = "true", **options: str) -> tuple[MissingSoftwareError, str]:
    with pytest.raises(MissingSoftwareError) as caught:
        create(python=python(log, pip), **options)
    return caught.value, log.read_text()


def test_what_pip_is_asked_for(folder: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_TARGET", "/elsewhere")
    error, said = attempt(log, pip='echo "target $PIP_TARGET" >> "$(dirname "$0")/../../../log"')
    assert "gave no answer" in error.message  # the fake has no old release to show
    steps = [line for line in said.splitlines() if "-m pip install" in line]
    assert len(steps) == 3
    assert steps[0].endswith("torch==2.13.0")
    assert "index" not in steps[0]
    lock = lock_named(DEFAULT)
    assert all(line.replace('"', "") in steps[1].replace('"', "") for line in lock.needed)
    assert "--no-deps" in steps[1]
    assert steps[2].endswith(f"--no-deps --no-build-isolation {' '.join(lock.openmmlab)}")
    assert [path.name for path in folder.iterdir()] == [f".{DEFAULT}.lock"]


def test_an_index_for_torch_is_for_torch_alone(folder: Path, log: Path) -> None:
    _, said = attempt(log, torch_index="file:///cpu")
    steps = [line for line in said.splitlines() if "-m pip install" in line]
    assert "--extra-index-url file:///cpu" in steps[0]
    assert not any("file:///cpu" in step for step in steps[1:])


@pytest.mark.parametrize(
    ("said", "reason", "hint"),
    [
        (
            "WARNING: Retrying ... 'NewConnectionError: Temporary failure in name resolution'\n"
            "ERROR: No matching distribution found for torch==2.13.0",
            "the package index cannot be reached",
            "PIP_INDEX_URL",
        ),
        (
            "ERROR: Could not find a version that satisfies the requirement torch==2.13.0",
            "the package index does not have it",
            "--legacy-python",
        ),
        (
            "ERROR: Could not install packages due to an OSError: No space left on device",
            "the disk is full",
            "MM_CKPT_MIGRATE_LEGACY",
        ),
        (
            "The virtual environment was not created successfully because ensurepip is not available",
            "this Python cannot make virtual environments",
            "python3-venv",
        ),
        (
            "/usr/bin/python3: No module named venv",
            "this Python cannot make virtual environments",
            "python3-venv",
        ),
        ("ERROR: Failed building wheel for mmdet", "cannot be installed; pip says", "--legacy"),
        ("", "pip says: nothing", "--legacy"),
    ],
)
def test_every_failure_is_one_sentence_and_what_to_do(said: str, reason: str, hint: str) -> None:
    error = explained("pip", said.splitlines())
    assert reason in error.message
    assert hint in error.hint
    assert "\n" not in error.message


def test_a_failing_pip_stops_it(folder: Path, log: Path) -> None:
    error, said = attempt(log, pip="echo 'ERROR: No matching distribution' >&2; exit 1")
    assert error.message.startswith("the package index does not have it (pip says: ERROR: No mat")
    assert said.count("-m pip") == 1
    assert [path.name for path in folder.iterdir()] == [f".{DEFAULT}.lock"]


def test_too_little_room(folder: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _path: type("Usage", (), {"free": 1 << 30}))
    with pytest.raises(MissingSoftwareError, match=r"1\.1 GB of free space") as caught:
        create(python=python(log))
    assert "MM_CKPT_MIGRATE_LEGACY" in caught.value.hint


def test_which_python_it_is_made_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if FITS:
        assert base_python() == Path(sys.executable)
        assert base_python(Path(sys.executable)) == Path(sys.executable)
    for wrong in (tmp_path / "none", Path("/bin/false")):
        with pytest.raises(MissingSoftwareError, match=r"is no Python 3\.10 or 3\.11 or 3\.12"):
            base_python(wrong)
    monkeypatch.setattr("sys.version_info", (3, 14, 0))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingSoftwareError, match="there is none on the PATH") as caught:
        base_python()
    assert "--python" in caught.value.hint
    python(tmp_path / "log").rename(tmp_path / "python3.11")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    assert base_python() == tmp_path / "python3.11"
