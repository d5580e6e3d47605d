"""The command, on genuine old checkpoints."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from golden_cases import CASES, NAMES, edited, few_by_default, run, sha256
from support.releases import NO_OLD_RELEASE, old_python
from typer.testing import CliRunner

from mm_ckpt_migrate.cli.main import app
from mm_ckpt_migrate.derive import orders
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.mapping.plan import make_plan
from mm_ckpt_migrate.mapping.rules.library import load_rules
from mm_ckpt_migrate.mapping.rules.load import load_ruleset
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet

CASE = CASES["mask2former_r18"]
FAMILIES = {rules.family: rules for rules in load_rules().families}
RENAMED = [name for name in NAMES if FAMILIES[CASES[name].family].rules]
SAME_NAMES = [name for name in NAMES if name not in RENAMED]


@dataclass
class Result:
    code: int
    out: str
    err: str


def cli(*arguments: object) -> Result:
    done = CliRunner().invoke(app, list(map(str, arguments)))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Result(done.exit_code, done.stdout, done.stderr)


@pytest.fixture
def without_order(tmp_path: Path) -> Path:
    """A config of the old model that says nothing of its layers."""
    path = tmp_path / "silent.py"
    path.write_text("model = dict(type='EncoderDecoder')\n")
    return path


@pytest.mark.mm
@pytest.mark.parametrize("name", few_by_default(RENAMED))
def test_a_genuine_checkpoint_gives_the_familys_own_plan(
    name: str, tmp_path: Path, families: dict[str, RuleSet]
) -> None:
    case, out = CASES[name], tmp_path / "fork.yaml"
    done = cli("derive", case.old, case.new_config, "--out", out, "--family", "fork")
    assert (done.code, "none of them proven" in done.out) == (0, True)
    assert f"by its keys it is a {case.family}" in done.err
    with Source(case.old) as source:
        schema = open_checkpoint(source).schema
    rules = load_ruleset(out)
    assert make_plan(schema, rules).targets == make_plan(schema, families[case.family]).targets
    assert rules.family == "fork"
    assert sha256(case.old) == case.sha256
    assert cli("rules", "check", out).code == 0


@pytest.mark.mm
@pytest.mark.parametrize("name", few_by_default(SAME_NAMES))
def test_a_genuine_checkpoint_with_the_names_of_today_needs_no_rules(name: str) -> None:
    done = cli("derive", CASES[name].old, CASES[name].new_config)
    assert (done.code, "nothing to derive" in done.out) == (0, True)


@pytest.mark.mm
def test_the_screen_gets_the_file_and_nothing_else(tmp_path: Path) -> None:
    done = cli("derive", CASE.old, CASE.new_config)
    out = tmp_path / "derived.yaml"
    out.write_text(done.out)
    assert load_ruleset(out).family == "derived"


@pytest.mark.mm
def test_the_config_inside_will_do() -> None:
    inside, given = (
        json.loads(cli("derive", CASE.old, cfg, "--json").out) for cfg in ("embedded", CASE.new_config)
    )
    assert inside["rules"] == given["rules"]
    assert "the config inside old.pth" in inside["text"]


@pytest.mark.mm
def test_without_a_config_that_tells_it_is_said_what_is_a_guess(without_order: Path) -> None:
    done = cli("derive", CASE.old, CASE.new_config, "--old-config", without_order)
    assert done.code == 0
    assert "UNDECIDED" in done.out
    assert "which is which is a guess" in done.err


@pytest.mark.mm
def test_json_says_the_same(without_order: Path) -> None:
    arguments = ("derive", CASE.old, CASE.new_config, "--old-config", without_order)
    found = json.loads(cli(*arguments, "--json").out)
    assert found["text"] == cli(*arguments).out
    assert {rule["level"] for rule in found["rules"]} == {"likely", "undecided"}
    assert [tie["decided"] for tie in found["ties"]] == [False, False, False]
    layer = "decode_head.transformer_decoder.layers.0"
    assert found["ties"][0]["old"] == [f"{layer}.attentions.0", f"{layer}.attentions.1"]
    assert (found["covers"], found["unmatched"]) == (True, {"old": [], "new": []})


@pytest.mark.mm
def test_a_migrated_file_needs_no_rules(tmp_path: Path) -> None:
    new, out = tmp_path / "new.pth", tmp_path / "none.yaml"
    run(CASE, new)
    done = cli("derive", new, CASE.new_config, "--out", out)
    assert (done.code, "nothing to derive" in done.out, out.exists()) == (0, True, False)


@pytest.mark.mm
def test_another_model_is_refused_and_nothing_written(tmp_path: Path) -> None:
    out = tmp_path / "none.yaml"
    done = cli("derive", CASE.old, CASES["maskformer_swin"].new_config, "--out", out)
    assert (done.code, out.exists()) == (11, False)
    assert "no new names make" in done.err


def _add(content: Any) -> None:
    import torch

    content["state_dict"]["decode_head.extra.weight"] = torch.zeros(3, 7)


@pytest.mark.mm
def test_what_cannot_be_placed_is_said_and_never_dropped(tmp_path: Path) -> None:
    old, out = edited(CASE, tmp_path / "more.pth", _add), tmp_path / "fork.yaml"
    done = cli("derive", old, CASE.new_config, "--out", out)
    assert done.code == 11
    assert "does not cover the model" in done.err
    assert '#  - from: "decode_head.extra.weight"\n#    drop: true' in out.read_text()
    assert all(rule.target is not None for rule in load_ruleset(out).rules)


@pytest.mark.mm
def test_a_file_is_replaced_by_force_only(tmp_path: Path) -> None:
    out = tmp_path / "mine.yaml"
    out.write_text("mine")
    assert cli("derive", CASE.old, CASE.new_config, "--out", out).code == 7
    assert out.read_text() == "mine"
    assert cli("derive", CASE.old, CASE.new_config, "--out", out, "--force").code == 0
    assert load_ruleset(out).rules


def test_the_checkpoint_is_never_written(tmp_path: Path) -> None:
    old = tmp_path / "old.pth"
    old.write_bytes(CASE.old.read_bytes())
    assert cli("derive", old, CASE.new_config, "--out", old, "--force").code == 7
    assert sha256(old) == CASE.sha256


@pytest.mark.parametrize("name", ["Fork", "1st", "a b", "", "x" * 65])
def test_a_family_has_a_plain_name(name: str) -> None:
    assert cli("derive", CASE.old, CASE.new_config, "--family", name).code == 2


@pytest.mark.mm
def test_the_old_release_is_asked_only_where_something_is_open(
    monkeypatch: pytest.MonkeyPatch, without_order: Path
) -> None:
    monkeypatch.setenv("MM_CKPT_MIGRATE_LEGACY_PYTHON", "/nowhere/python")
    arguments = ("derive", CASE.old, CASE.new_config, "--legacy")
    assert cli(*arguments).code == 0
    done = cli(*arguments, "--old-config", without_order)
    assert (done.code, "no such interpreter" in done.err) == (8, True)


@pytest.mark.mm
@pytest.mark.parametrize("change", [lambda text: text.replace("}", ""), lambda text: "x = 1"])
def test_a_config_inside_that_tells_nothing_is_no_obstacle(
    change: Callable[[str], str], tmp_path: Path
) -> None:
    def spoil(content: Any) -> None:
        content["meta"]["cfg"] = change(content["meta"]["cfg"])

    done = cli("derive", edited(CASE, tmp_path / "spoilt.pth", spoil), CASE.new_config)
    assert (done.code, "UNDECIDED" in done.out) == (0, True)


@pytest.mark.mm
def test_the_old_release_settles_what_nothing_else_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, families: dict[str, RuleSet]
) -> None:
    """As with a config whose layers are described where nobody would look for them."""
    python = old_python()
    if python is None:
        pytest.skip(NO_OLD_RELEASE)
    monkeypatch.setattr(orders, "stated_role", lambda *_: None)
    out = tmp_path / "fork.yaml"
    done = cli("derive", CASE.old, CASE.new_config, "--out", out, "--legacy-python", python)
    assert (done.code, "2 ways were tried; with 1 the outputs equal" in done.err) == (0, True)
    with Source(CASE.old) as source:
        schema = open_checkpoint(source).schema
    plan = make_plan(schema, load_ruleset(out))
    assert plan.targets == make_plan(schema, families[CASE.family]).targets
