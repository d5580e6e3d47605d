"""O5: an interruption says what is there, and "no new file was made" only where none was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from mm_ckpt_migrate.cli import render
from mm_ckpt_migrate.errors import ExitCode
from mm_ckpt_migrate.files.archive.publish import Draft
from mm_ckpt_migrate.identify import survey

Cli = Callable[..., Any]
NOTHING = "Interrupted. The source is as it was; no new file was made."


def stop(*_: object, **__: object) -> NoReturn:
    raise KeyboardInterrupt


@pytest.fixture
def convert(golden: dict[str, Any], cli: Cli, tmp_path: Path) -> Cli:
    old = golden["maskformer_panoptic_r18"].old
    beside = ["--config-out", tmp_path / "c.py", "--plan", tmp_path / "p.json"]

    def run(*more: object) -> Any:
        new = tmp_path / "new.pth"
        return cli("convert", "auto", "embedded", old, new, "--no-build", *beside, *more)

    return run


def test_after_all_was_done(convert: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "print_report", stop)
    done = convert()
    assert done.code == ExitCode.INTERRUPTED
    names = ", ".join(str(tmp_path / name) for name in ("c.py", "p.json", "new.pth"))
    said = f"Interrupted. The source is as it was; complete, and there, is: {names}.\n"
    assert done.err == said
    assert all((tmp_path / name).exists() for name in ("c.py", "p.json", "new.pth"))


@pytest.mark.parametrize("name", ["c.py", "p.json", "new.pth"])
@pytest.mark.parametrize("json", [False, True])
def test_while_the_names_are_given(
    json: bool, name: str, convert: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Draft._name

    def interrupted(self: Draft, force: bool) -> None:
        real(self, force)
        if self.path.name == name:
            raise KeyboardInterrupt

    monkeypatch.setattr(Draft, "_name", interrupted)
    done = convert(*(["--json"] if json else []))
    assert done.code == ExitCode.INTERRUPTED
    assert (done.json["error"] if json else done.err.rstrip("\n")) == NOTHING
    assert list(tmp_path.iterdir()) == []


def test_a_file_alone_whose_name_it_has(
    golden: dict[str, Any], cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is taken back where nothing else belongs to it: it is whole, and said to be there."""
    real, new = Draft._name, tmp_path / "new.pth"

    def interrupted(self: Draft, force: bool) -> None:
        real(self, force)
        raise KeyboardInterrupt

    monkeypatch.setattr(Draft, "_name", interrupted)
    done = cli("convert", "auto", "-", golden["rpn_r18"].old, new, "--no-build")
    assert done.code == ExitCode.INTERRUPTED
    assert str(new) in done.err
    assert new.exists()


def test_what_makes_nothing(golden: dict[str, Any], cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "survey", stop)
    for more in ([], ["--json"]):
        done = cli("inspect", golden["rpn_r18"].old, *more)
        assert done.code == ExitCode.INTERRUPTED
        assert NOTHING in done.out + done.err


@pytest.mark.parametrize("json", [False, True])
def test_a_batch(json: bool, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mm_ckpt_migrate.batch import run

    (tmp_path / "zoo").mkdir()
    monkeypatch.setattr(run, "run_batch", stop)
    done = cli("batch", tmp_path / "zoo", tmp_path / "new", *(["--json"] if json else []))
    said = "Interrupted. What is done is done; run it again for the rest."
    assert done.code == ExitCode.INTERRUPTED
    assert (done.json["error"] if json else done.err.rstrip("\n")) == said


@pytest.mark.parametrize("state", ["nothing", "a part", "all"])
def test_an_environment(state: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mm_ckpt_migrate.releases.old import environment

    name = environment.DEFAULT
    monkeypatch.setenv("MM_CKPT_MIGRATE_LEGACY", str(tmp_path))
    there = [environment.LegacyEnvironment(name, tmp_path / "python", {})]
    monkeypatch.setattr(environment, "found", lambda: there if state == "all" else [])
    monkeypatch.setattr(environment, "unfinished", lambda: [name] if state == "a part" else [])
    monkeypatch.setattr(environment, "create", stop)
    done = cli("legacy", "create")
    said = {
        "nothing": f"Of the environment {name} nothing is there.",
        "a part": f"A part of the environment {name} is left: `legacy remove` removes it.",
        "all": f"The environment {name} is there, complete.",
    }[state]
    assert (done.code, done.err) == (ExitCode.INTERRUPTED, f"Interrupted. {said}\n")
