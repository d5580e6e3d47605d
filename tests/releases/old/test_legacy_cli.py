"""`legacy create`, `legacy list` and `legacy remove`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from mm_ckpt_migrate.cli.main import app
from mm_ckpt_migrate.errors import ExitCode, MissingSoftwareError
from mm_ckpt_migrate.releases.old import environment
from mm_ckpt_migrate.releases.old.release import DEFAULT


@pytest.fixture
def cli(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a command; pip is a stand-in, and so is the old release."""

    def install(lock: Any, path: Path, _held: int, progress: Any, **_options: Any) -> None:
        progress(f"installing {lock.torch}")
        (path / "bin").mkdir()
        (path / "bin" / "python").symlink_to(sys.executable)

    monkeypatch.setattr(environment, "install", install)
    monkeypatch.setattr(environment, "_ask", lambda _python: {"mmseg": "1.0.0rc4"})
    return lambda *arguments: CliRunner().invoke(app, ["legacy", *arguments])


def test_create_list_and_remove(cli: Callable[..., Result], folder: Path) -> None:
    assert "`mm-ckpt-migrate legacy create` makes one" in cli("list").stdout
    assert json.loads(cli("list", "--json").stdout) == []
    made = cli("create")
    assert made.exit_code == 0
    python = str(folder / DEFAULT / "bin" / "python")
    assert made.stdout == f"{DEFAULT}: {python}\n"
    assert "installing torch==2.13.0" in made.stderr  # progress does not disturb the result
    facts = {"name": DEFAULT, "python": python, "versions": {"mmseg": "1.0.0rc4"}}
    assert json.loads(cli("list", "--json").stdout) == [facts]
    assert json.loads(cli("create", DEFAULT, "--json").stdout) == facts
    assert "mmseg 1.0.0rc4" in cli("list").stdout
    assert cli("remove", DEFAULT).stdout == f"{DEFAULT}: removed\n"
    assert not (folder / DEFAULT).exists()


def test_one_that_is_not_finished_is_shown(cli: Callable[..., Result], folder: Path) -> None:
    (folder / f".{DEFAULT}.building").mkdir(parents=True)
    assert "not finished" in cli("list").stdout


@pytest.mark.parametrize("line", [["create", "mmseg-0.30"], ["remove", DEFAULT], ["remove", "../../home"]])
def test_there_is_no_such(line: list[str], cli: Callable[..., Result]) -> None:
    done = cli(*line)
    assert done.exit_code == ExitCode.MISSING_SOFTWARE
    assert done.stderr.startswith("Error: there is no ")


def test_what_fails_is_one_sentence(cli: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    def install(*_arguments: Any, **_options: Any) -> None:
        raise MissingSoftwareError("the package index cannot be reached", hint="Connect.")

    monkeypatch.setattr(environment, "install", install)
    done = cli("create")
    assert done.exit_code == ExitCode.MISSING_SOFTWARE
    assert done.stderr == "Error: the package index cannot be reached\n  Connect.\n"
    assert json.loads(cli("create", "--json").stdout) == {
        "error": "the package index cannot be reached",
        "hint": "Connect.",
        "exit_code": 8,
    }
