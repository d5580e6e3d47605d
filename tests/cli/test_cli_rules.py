"""`rules`, `doctor`, `--help` and `--version`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mm_ckpt_migrate import __version__
from mm_ckpt_migrate.mapping.rules.library import load_rules, rules_folder
from mm_ckpt_migrate.releases.current.stack import installed

Cli = Callable[..., Any]
COMMANDS = {
    "convert": ["OLD", "NEW", "--reverse", "--force-family", "--no-build", "--format", "--plan"],
    "plan": ["OLD", "--plan", "--no-build"],
    "inspect": ["FILE", "--no-crc"],
    "rules": ["list", "show", "check"],
    "rules list": ["--json"],
    "rules show": ["FAMILY"],
    "rules check": ["[FILE]..."],
    "doctor": ["--json"],
    "demo": ["--json"],
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help(command: str, option: str, cli: Cli) -> None:
    done = cli(*command.split(), option)
    assert (done.code, done.err) == (0, "")
    assert f"{command} " in done.out
    for word in COMMANDS[command]:
        assert word in done.out


def test_help_lists_every_command(cli: Cli) -> None:
    out = cli("--help").out
    assert all(command.split()[0] in out for command in COMMANDS)


def test_every_option_says_what_it_does(cli: Cli) -> None:
    for command in COMMANDS:
        lines = cli(*command.split(), "--help").out.splitlines()
        options = [line.split() for line in lines if line.startswith("  --")]
        assert all(len(words) > 2 for words in options)


def test_version(cli: Cli) -> None:
    assert cli("--version").out == f"mm-ckpt-migrate {__version__}\n"


def test_no_command_shows_the_help(cli: Cli) -> None:
    done = cli()
    assert "Usage:" in done.out + done.err


def test_list(cli: Cli) -> None:
    out = cli("rules", "list").out
    for rules in load_rules().families:
        assert rules.title in out
    rows = cli("rules", "list", "--json").json
    assert [(row["number"], row["family"]) for row in rows] == [
        (1, "maskformer"),
        (2, "mask2former"),
        *((None, rules.family) for rules in load_rules().families[2:]),
    ]
    assert len(rows) >= 8


@pytest.mark.parametrize("family", ["1", "maskformer", "2", "Mask2Former"])
def test_show(family: str, cli: Cli) -> None:
    out = cli("rules", "show", family).out
    data = cli("rules", "show", family, "--json").json
    assert out == (rules_folder() / f"{data['family']}.yaml").read_text(encoding="utf-8")
    assert len(data["rules"]) == 5
    assert len(data["control"]) == 2


def test_check(cli: Cli, tmp_path: Path) -> None:
    done = cli("rules", "check")
    assert done.out.count("rules, in order") == len(load_rules().families)
    path = tmp_path / "mine.yaml"
    path.write_text((rules_folder() / "maskformer.yaml").read_text())
    assert cli("rules", "check", path).out == f"{path}: maskformer, 5 rules, in order\n"
    path.write_text(path.read_text().replace("optional: true", "optional: yes"))
    done = cli("rules", "check", path)
    assert done.code == 4
    assert f"{path}:" in done.err
    assert "YAML reads 'yes' as a bool" in done.err


def test_the_lookalikes_are_no_family(cli: Cli) -> None:
    assert cli("rules", "check", rules_folder() / "lookalikes.yaml").code == 4


def test_doctor_says_what_is_here(cli: Cli) -> None:
    data = cli("doctor", "--json").json
    versions = installed().versions
    for part in data["parts"]:
        assert part["found"] == versions.get(part["name"])
        assert bool(part["mend"]) == (part["found"] is None) or part["found"]
    assert data["ok"] == all(not part["mend"] for part in data["parts"])
    assert cli("doctor").code == (0 if data["ok"] else 8)
