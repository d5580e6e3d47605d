"""`migrate-config`: what it prints, what it writes, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from old_style import SOURCE

from mm_ckpt_migrate.errors import ExitCode
from mm_ckpt_migrate.files.archive.leftovers import draft_name

Cli = Callable[..., Any]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "old.py"
    path.write_text(SOURCE)
    return path


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return tmp_path / "new.py"


def test_the_changes_are_listed_and_the_file_is_made(cli: Cli, old: Path, new: Path) -> None:
    done = cli("migrate-config", old, new)
    assert (done.code, done.err) == (ExitCode.OK, "")
    lines = done.out.splitlines()
    assert lines[0] == f"Migrated {old} -> {new} (maskformer: 12 changes)"
    assert "  model.decode_head.transformer_decoder.transformerlayers is now layer_cfg" in lines
    assert len(lines) == 13
    assert "layer_cfg=dict(" in new.read_text()
    assert old.read_text() == SOURCE


def test_nothing_to_do(cli: Cli, old: Path, new: Path) -> None:
    cli("migrate-config", old, new)
    again = cli("migrate-config", new, new.with_name("again.py"))
    assert (again.code, again.err) == (ExitCode.OK, "")
    assert again.out == f"{new}: it is for the current release already, nothing to do\n"
    assert not new.with_name("again.py").exists()


def test_check_writes_nothing_and_tells_by_its_code(cli: Cli, old: Path, new: Path) -> None:
    done = cli("migrate-config", old, "--check")
    assert (done.code, done.err) == (ExitCode.CHANGES_NEEDED, "")
    assert done.out.startswith(f"Would change {old} (maskformer: 12 changes)\n")
    assert not new.exists()
    assert cli("migrate-config", old, new, "--check").code == ExitCode.USAGE
    cli("migrate-config", old, new)
    assert cli("migrate-config", new, "--check").code == 0


def test_diff_is_a_diff(cli: Cli, old: Path, new: Path) -> None:
    done = cli("migrate-config", old, "--diff")
    assert (done.code, done.err) == (ExitCode.OK, "")
    lines = done.out.splitlines()
    assert lines[:2] == [f"--- {old}", f"+++ {old}"]
    assert "-            transformerlayers=dict(" in lines
    assert "+            layer_cfg=dict(" in lines
    assert not new.exists()
    assert cli("migrate-config", old, new, "--diff").out.splitlines()[1] == f"+++ {new}"
    assert new.exists()
    assert cli("migrate-config", new, "--diff").out == ""
    assert cli("migrate-config", old, "--diff", "--check").code == ExitCode.CHANGES_NEEDED


def test_json(cli: Cli, old: Path, new: Path) -> None:
    result = cli("migrate-config", old, new, "--json").json
    assert result == {
        "source": str(old),
        "destination": str(new),
        "family": "maskformer",
        "form": "edited",
        "changes": result["changes"],
        "text": new.read_text(),
        "notices": [],
    }
    assert len(result["changes"]) == 12
    result = cli("migrate-config", new, "--check", "--json").json
    assert (result["destination"], result["form"], result["changes"]) == (None, "unchanged", [])


def test_values_from_elsewhere_are_noted(cli: Cli, old: Path, new: Path) -> None:
    child = old.with_name("child.py")
    child.write_text("_base_ = 'old.py'\nmodel = dict(decode_head=dict(num_queries=3))\n")
    done = cli("migrate-config", child, new)
    assert done.out.splitlines()[-1].startswith("Note: the values come from variables or other")


def test_an_existing_file_is_kept_without_force(cli: Cli, old: Path, new: Path) -> None:
    new.write_text("mine = 1\n")
    done = cli("migrate-config", old, new)
    assert (done.code, done.out) == (ExitCode.BAD_DESTINATION, "")
    assert "the destination exists" in done.err
    assert new.read_text() == "mine = 1\n"
    assert cli("migrate-config", old, new, "--force").code == ExitCode.OK
    assert cli("migrate-config", old, old, "--force").code == ExitCode.BAD_DESTINATION
    assert old.read_text() == SOURCE


def test_usage(cli: Cli, old: Path) -> None:
    assert cli("migrate-config").code == ExitCode.USAGE
    assert cli("migrate-config", old).code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import os\n", "old.py:1: an import is not read"),
        ("x = 1\n", "old.py: it has no setting that differs between the releases"),
        ("_base_ = 'gone.py'\n", "old.py:1: the base config 'gone.py' does not exist"),
        (SOURCE.replace("MultiheadAttention'", "MyAttention'"), "is the unknown type"),
        (SOURCE.replace("num_heads=2", "num_heads=2, extra=1"), "extra has no counterpart"),
    ],
)
def test_a_config_that_cannot_be_migrated(text: str, words: str, cli: Cli, old: Path, new: Path) -> None:
    old.write_text(text)
    done = cli("migrate-config", old, new)
    assert (done.code, done.out) == (ExitCode.BAD_TARGET, "")
    assert words in done.err
    assert not new.exists()
    as_json = cli("migrate-config", old, new, "--json")
    assert as_json.json["exit_code"] == as_json.code == ExitCode.BAD_TARGET


def test_a_checkpoint_is_no_config(cli: Cli, golden: Any, new: Path) -> None:
    done = cli("migrate-config", golden["maskformer_r18"].old, new)
    assert done.code == ExitCode.BAD_TARGET
    assert "a config is a file that ends in .py" in done.err
    assert cli("migrate-config", "-", new).code == ExitCode.BAD_TARGET


def test_what_a_file_holds_does_not_act_on_the_terminal(cli: Cli, old: Path) -> None:
    old.write_text(SOURCE + "x = '\x1b[31m'\n")
    assert "\x1b[31m" not in cli("migrate-config", old, "--diff", "--check").out


def test_the_help_needs_no_stack(process: Callable[..., Any]) -> None:
    done = process("migrate-config", "--help")
    assert done.code == 0
    assert "exit with 9" in " ".join(done.out.split())


def test_what_a_killed_run_left_is_named(cli: Cli, old: Path, new: Path) -> None:
    left = draft_name(new.parent)
    left.write_bytes(b"half")
    said = f"{left}, which a killed run had left, was removed"
    assert cli("migrate-config", old, new).err == f"Note: {said}.\n"
    left.write_bytes(b"half")
    assert cli("migrate-config", old, new, "--force", "--json").json["notices"] == [said]


def test_a_name_with_a_tilde(cli: Cli, old: Path, new: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the home folder where there is one of that name, and else a name like any other."""
    monkeypatch.setenv("HOME", str(old.parent))
    assert cli("migrate-config", "~/old.py", new).code == ExitCode.OK
    assert cli("migrate-config", "~/old.py", "--diff").out.startswith("--- ~/old.py")
    (old.parent / "~no one").mkdir()
    old.rename(old.parent / "~no one" / "old.py")
    monkeypatch.chdir(old.parent)
    assert cli("migrate-config", "~no one/old.py", "--diff").code == ExitCode.OK
