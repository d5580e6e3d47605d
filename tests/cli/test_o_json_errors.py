"""`--json` is one document of strict JSON on every command, whatever goes wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from mm_ckpt_migrate.cli import asjson, boundary
from mm_ckpt_migrate.cli.main import app
from mm_ckpt_migrate.errors import ExitCode
from mm_ckpt_migrate.verdicts import strict

Cli = Callable[..., Any]
C, P = "convert auto - OLD NEW --no-build", "plan auto - OLD --no-build"


def strictly(text: str) -> Any:
    """Parse as a strict reader does: no NaN, no infinity, no key twice."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    return json.loads(text, parse_constant=refuse, object_pairs_hook=once)


@pytest.fixture
def line(golden: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A command line with the placeholders filled in."""
    case = golden["mask2former_r18"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MM_CKPT_MIGRATE_LEGACY", str(tmp_path / "legacy"))
    Path("bad.pth").write_bytes(b"x")
    Path("taken").write_bytes(b"mine")
    Path("bad.py").write_text("import os\n")
    Path("empty").mkdir()
    names = {"OLD": case.old, "OLDCFG": case.old_config, "CFG": case.new_config}
    return lambda text: [str(names.get(word, word)) for word in text.split()]


ERRORS = [
    ("convert auto - bad.pth NEW --no-build", 3),
    (f"{C} --for resume", 4),
    (f"{C} --reverse", 4),
    ("convert 1 - OLD NEW --no-build", 5),
    ("convert auto bad.py OLD NEW", 6),
    ("convert auto - OLD taken --no-build", 7),
    (f"{C} --plan NEW", 7),
    (f"{C} --format exe", 2),
    (f"{C} --expect-sha256 x", 2),
    (f"{C} extra", 2),
    ("convert", 2),
    ("plan auto - bad.pth --no-build", 3),
    ("plan 1 - OLD --no-build", 5),
    ("plan auto bad.py OLD", 6),
    (f"{P} --plan taken", 7),
    (f"{P} --nonsense", 2),
    ("verify bad.pth", 3),
    ("verify none.pth", 3),
    ("verify OLD --report taken", 7),
    ("verify OLD --source OLD --record taken", 7),
    ("verify OLD --require x", 2),
    ("verify", 2),
    ("inspect bad.pth", 3),
    ("inspect", 2),
    ("migrate-config bad.py new.py", 6),
    ("migrate-config OLDCFG taken", 7),
    ("migrate-config OLDCFG", 2),
    ("audit empty", 6),
    ("audit none", 6),
    ("audit empty --release x", 2),
    ("derive bad.pth CFG", 3),
    ("derive OLD CFG --out OLD --force", 7),
    ("derive OLD CFG --family X", 2),
    ("batch none results", 3),
    ("batch empty https://x/y", 2),
    ("batch empty empty", 7),
    ("batch empty results --list none", 3),
    ("rules show 9", 5),
    ("rules check bad.py", 4),
    ("rules nonsense", 2),
    ("rules list extra", 2),
    ("legacy create nonsense", 8),
    ("legacy remove nonsense", 8),
    ("legacy remove", 2),
    ("legacy list extra", 2),
    ("doctor extra", 2),
    ("demo extra", 2),
    ("nonsense", 2),
]


@pytest.mark.parametrize(("text", "code"), ERRORS, ids=[text for text, _ in ERRORS])
def test_error(text: str, code: int, line: Any, cli: Cli) -> None:
    done = cli(*line(text), "--json")
    found = strictly(done.out)
    assert set(found) == {"error", "hint", "exit_code"}
    assert (done.code, found["exit_code"]) == (code, code), found
    assert found["error"]
    assert done.err == ""
    assert Path("taken").read_bytes() == b"mine"


RESULTS = [
    C,
    P,
    "inspect OLD",
    "migrate-config OLDCFG --check",
    "migrate-config OLDCFG --diff",
    "batch empty results",
    "rules list",
    "rules show 1",
    "rules check",
    "legacy list",
    "doctor",
]


@pytest.mark.parametrize("text", RESULTS)
def test_result(text: str, line: Any, cli: Cli) -> None:
    assert strictly(cli(*line(text), "--json").out) is not None


def test_a_diff_is_in_the_json(line: Any, cli: Cli) -> None:
    found = strictly(cli(*line("migrate-config OLDCFG --diff"), "--json").out)
    assert "+            layer_cfg=dict(" in found["diff"]
    assert "diff" not in strictly(cli(*line("migrate-config OLDCFG --check"), "--json").out)


def commands(group: Any, *path: str) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, *path, name)
        else:
            yield (*path, name)


@pytest.mark.parametrize("path", list(commands(typer.main.get_command(app))), ids=" ".join)
def test_every_command_has_it(path: tuple[str, ...], cli: Cli) -> None:
    assert "--json" in cli(*path, "--help").out
    found = strictly(cli(*path, "--no-such-option", "--json").out)
    assert found["exit_code"] == ExitCode.USAGE
    assert found["error"].startswith("No such option")
    assert found["hint"].endswith(f"{' '.join(path)} --help")


def test_no_number_that_json_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    numbers = {"a": [math.nan, (math.inf, -math.inf)], "b": {"c": 1.5}}
    asjson.print_json(numbers)
    found = strictly(capsys.readouterr().out)
    assert found == {"a": ["NaN", ["Infinity", "-Infinity"]], "b": {"c": 1.5}}
    assert math.isnan(float(found["a"][0]))
    assert strict(numbers) == found


@pytest.mark.parametrize("error", [RuntimeError("odd"), RecursionError(), OSError(5, "odd")])
def test_a_fault_of_our_own(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    """The traceback is on stderr; stdout has the error."""

    @boundary.command
    def broken(as_json: bool = False) -> int:
        raise error

    with pytest.raises(typer.Exit) as caught:
        broken(as_json=True)
    out, err = capsys.readouterr()
    assert caught.value.exit_code == strictly(out)["exit_code"] == ExitCode.INTERNAL
    assert ("Traceback" in err) == (not isinstance(error, OSError))


def test_nothing_of_a_library_is_between(process: Cli, golden: dict[str, Any]) -> None:
    """Warnings of what is imported go to stderr, as all that is no result."""
    env = {"PYTHONWARNINGS": "always", "PYTHONDEVMODE": "1"}
    done = process("plan", "auto", "-", golden["rpn_r18"].old, "--no-build", "--json", env=env)
    assert strictly(done.out)["family"] == "rpn"
