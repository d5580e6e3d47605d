"""`--json` on every command: one JSON value on stdout, on success and on error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]


@pytest.fixture
def case(golden: dict[str, Any]) -> Any:
    return golden["maskformer_r18_encoder"]


@pytest.fixture
def arguments(case: Any, tmp_path: Path) -> Callable[[str], list[str]]:
    """A command line with the placeholders filled in."""
    (tmp_path / "bad.pth").write_bytes(b"x")
    (tmp_path / "bad.yaml").write_text("schema: 2\n")
    names = {
        "OLD": case.old,
        "NEW": tmp_path / "new.pth",
        "CFG": case.new_config,
        "BAD": tmp_path / "bad.pth",
        "YAML": tmp_path / "bad.yaml",
    }
    return lambda line: [str(names.get(word, word)) for word in line.split()]


@pytest.mark.parametrize(
    ("line", "shape"),
    [
        ("convert auto - OLD NEW --no-build", dict),
        ("plan auto - OLD --no-build", dict),
        ("inspect OLD", dict),
        ("rules list", list),
        ("rules show 1", dict),
        ("rules check", list),
        ("doctor", dict),
    ],
)
def test_success(line: str, shape: type, arguments: Callable[..., list[str]], cli: Cli) -> None:
    done = cli(*arguments(line), "--json")
    assert isinstance(done.json, shape)
    assert done.err == ""
    assert done.code == 0 or line == "doctor"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("convert auto - BAD NEW --no-build", 3),
        ("convert auto - OLD NEW --reverse", 4),
        ("convert 2 - OLD NEW --no-build", 5),
        ("convert auto /no.py OLD NEW", 6),
        ("convert auto - OLD OLD --no-build", 7),
        ("plan auto - BAD --no-build", 3),
        ("plan 2 - OLD --no-build", 5),
        ("inspect BAD", 3),
        ("rules show 9", 5),
        ("rules check YAML", 4),
    ],
)
def test_error(line: str, code: int, arguments: Callable[..., list[str]], cli: Cli) -> None:
    done = cli(*arguments(line), "--json")
    assert set(done.json) == {"error", "hint", "exit_code"}
    assert done.code == done.json["exit_code"] == code
    assert done.json["error"]
    assert done.err == ""


def test_what_convert_reports(case: Any, tmp_path: Path, cli: Cli) -> None:
    new = tmp_path / "new.pth"
    report = cli("convert", "auto", "-", case.old, new, "--no-build", "--json").json
    assert (report["source"], report["destination"]) == (str(case.old), str(new))
    assert (report["family"], report["exit_code"]) == ("maskformer", 0)
    assert report["source_digest"] == case.sha256
    assert (report["moved"] + report["kept"], report["dropped"]) == (234, 0)
    assert [(v["rung"], v["status"]) for v in report["verdicts"]] == [
        ("integrity", "pass"),
        ("keys", "skipped"),
        ("roles", "pass"),
        ("forward", "skipped"),
        ("resume", "skipped"),
        ("metric", "skipped"),
    ]
    assert all(isinstance(v["details"], list) for v in report["verdicts"])
    assert [notice.partition(": ")[0] for notice in report["notices"]] == [
        "optimizer",
        "14 log buffers became plain dicts of numbers",
        "1 numpy scalar became a plain number",
        "14 plain logs moved from message_hub.log_scalars to message_hub.log_history, where "
        "mmengine looks for no buffers",
    ]


def test_a_failed_rung_is_a_report_and_not_an_error(golden: dict[str, Any], tmp_path: Path, cli: Cli) -> None:
    case = golden["mask2former_swin"]
    options = ["--no-build", "--force-family", "--json"]
    done = cli("convert", "1", "-", case.old, tmp_path / "new.pth", *options)
    assert done.code == done.json["exit_code"] == 12
    assert done.json["verdicts"][2]["status"] == "fail"
    assert done.json["destination"]


def test_a_plan_is_complete(case: Any, cli: Cli) -> None:
    data = cli("plan", "auto", "-", case.old, "--no-build", "--json").json
    assert len(data["plan"]["keys"]) == 234
    assert {len(row) for row in data["plan"]["keys"]} == {3}
    assert data["plan"]["rules"][0].startswith("{head}.transformer_decoder.layers.{i}.attentions.0")


def test_nothing_to_do_has_no_plan(case: Any, tmp_path: Path, cli: Cli) -> None:
    new = tmp_path / "new.pth"
    cli("convert", "auto", "-", case.old, new, "--no-build")
    data = cli("plan", "auto", "-", new, "--no-build", "--json").json
    assert (data["plan"], data["plan_digest"], data["exit_code"]) == (None, "", 0)


@pytest.mark.parametrize("option", [[], ["--json"]], ids=["text", "json"])
def test_results_go_to_stdout_and_errors_to_stderr(
    option: list[str], case: Any, tmp_path: Path, process: Cli
) -> None:
    good = process("rules", "list", *option)
    assert (good.code, good.err) == (0, "")
    assert "maskformer" in good.out
    bad = process("inspect", tmp_path / "none.pth", *option)
    assert bad.code == 3
    assert "there is no such file" in (bad.out if option else bad.err)
    assert (bad.err if option else bad.out) == ""


def test_a_reader_that_goes_away_is_no_error(case: Any, process: Cli) -> None:
    import subprocess
    import sys

    with subprocess.Popen(
        [sys.executable, "-m", "mm_ckpt_migrate", "plan", "auto", "-", case.old, "--no-build", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait(30) == 0
