"""The command: its text, its JSON, its exit codes, and that it changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_zoos import METAFILE, MakeZoo, entry
from typer.testing import CliRunner, Result

from mm_ckpt_migrate.cli.main import app
from mm_ckpt_migrate.errors import ExitCode


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["audit", *map(str, arguments)])


def test_nothing_found(zoo: MakeZoo) -> None:
    zoo.models(entry("configs/x/a.py", "a-01234567.pth"))
    done = run(zoo.root, "--release", "mmdet-3.3.0")
    assert done.exit_code == ExitCode.OK
    assert "1 entries of mmdet-3.3.0, 0 layouts compared: nothing found" in done.stdout


def test_findings_by_check(zoo: MakeZoo) -> None:
    zoo.models(entry("configs/x/a_r101.py", "a.pth"), entry("configs/x/a.py", "a.pth"))
    done = run(zoo.root)
    assert done.exit_code == ExitCode.FINDINGS == 17
    lines = done.stdout.splitlines()
    assert lines[0].startswith("depth (error): ")
    assert lines[1] == f"  a_r101 ({METAFILE}:3)"
    assert "weights-shared (warning): several entries name one file, 1" in lines


def test_json(zoo: MakeZoo) -> None:
    zoo.models(entry("configs/x/a_r101.py", "a.pth"))
    done = run(zoo.root, "--json")
    assert done.exit_code == ExitCode.FINDINGS
    found = json.loads(done.stdout)
    assert found["entries"] == 1
    (finding,) = found["findings"]
    assert (finding["check"], finding["severity"], finding["entry"]) == ("depth", "error", "a_r101")


def test_no_zoo(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.exit_code == ExitCode.BAD_TARGET
    assert "no metafile in it lists a model" in done.stderr


@pytest.mark.parametrize("release", ["mmdet", "mmseg-1.2.2", "latest"])
def test_a_release_that_is_none(zoo: MakeZoo, release: str) -> None:
    zoo.models(entry("configs/x/a.py"))
    assert run(zoo.root, "--release", release).exit_code == ExitCode.USAGE


def test_hostile_text_does_not_act_on_the_terminal(zoo: MakeZoo) -> None:
    name = "a\x1b]0;owned\x07[bold]\u202e_r101"
    zoo.models({"Name": name, "Config": "configs/x/a_r101.py", "Weights": "h/\x1b[2Ja.pth"})
    done = run(zoo.root)
    assert done.exit_code == ExitCode.FINDINGS
    assert not {"\x1b", "\x07", "\u202e"} & set(done.stdout)
    assert "[bold]" in done.stdout


def test_nothing_is_changed(zoo: MakeZoo) -> None:
    zoo.models(entry("configs/x/a_r101.py", "a.pth"))
    before = {path: path.read_bytes() for path in zoo.root.rglob("*") if path.is_file()}
    run(zoo.root, "--weights", zoo.root)
    assert before == {path: path.read_bytes() for path in zoo.root.rglob("*") if path.is_file()}
