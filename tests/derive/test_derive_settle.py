"""Where neither shapes nor the config tell attentions apart, the old code's outputs do."""

from __future__ import annotations

from pathlib import Path

import pytest
from golden_cases import CASES, Case
from layout_pairs import layouts_of, plan_of, schema
from support.releases import NO_OLD_RELEASE, old_python

from mm_ckpt_migrate.configs.read.config import read_config
from mm_ckpt_migrate.convert.options import Options
from mm_ckpt_migrate.convert.target_config import open_target, read_target_config
from mm_ckpt_migrate.derive.assignment import Derivation, Evidence, Layouts, Level
from mm_ckpt_migrate.derive.match import assign
from mm_ckpt_migrate.derive.propose import derive
from mm_ckpt_migrate.derive.settle import OldModel, settle
from mm_ckpt_migrate.derive.trials import MAX_TRIALS, agreed, alternatives
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.mapping.plan import make_plan
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet

TWO = schema({"m.a.w": (3, 3), "m.b.w": (3, 3)}), schema({"n.p.w": (3, 3), "n.q.w": (3, 3)})
ONE_WAY = {("m.a", "m.b"): ("n.p", "n.q")}
OTHER_WAY = {("m.a", "m.b"): ("n.q", "n.p")}


def test_every_way_is_tried_and_the_guess_first() -> None:
    assert alternatives(assign(*TWO)) == [ONE_WAY, OTHER_WAY]


def test_layers_are_exchanged_together() -> None:
    layouts = layouts_of("mask2former_mmseg")
    ways = alternatives(assign(layouts.old, layouts.new))
    assert [len(way) for way in ways] == [9, 9]


def test_ties_of_different_places_are_tried_together() -> None:
    sides = [
        schema({f"{head}.{name}.w": shape for head, shape in heads for name in names})
        for heads, names in (((("g", (3, 3)), ("h", (5, 5))), "ab"), ((("i", (3, 3)), ("j", (5, 5))), "pq"))
    ]
    assert len(alternatives(assign(*sides))) == 4


def test_too_many_ways_are_not_tried() -> None:
    old = schema({f"m.{name}.w": (3, 3) for name in "abcde"})
    new = schema({f"n.{name}.w": (3, 3) for name in "pqrst"})
    assert MAX_TRIALS < 120
    assert alternatives(assign(old, new)) == []


def test_what_was_shown_is_followed_and_called_decided() -> None:
    found = assign(*TWO, Evidence(choices=OTHER_WAY))
    assert found.table == {"m.a.w": "n.q.w", "m.b.w": "n.p.w"}
    assert {pair.level for pair in found.pairs} == {Level.DECIDED}
    assert not found.open_ties


@pytest.mark.parametrize(
    ("equal", "decided"),
    [([True, False], ONE_WAY), ([False, True], OTHER_WAY), ([False, False], {}), ([True, True], {})],
)
def test_only_a_difference_decides(equal: list[bool], decided: dict[object, object]) -> None:
    """Equal outputs whatever is exchanged show nothing; nor do outputs that never are equal."""
    assert agreed([ONE_WAY, OTHER_WAY], equal) == decided


def test_what_no_output_sees_stays_open() -> None:
    ways = [{("a",): (x,), ("b",): (y,)} for x in "pq" for y in "rs"]
    assert agreed(ways, [False, False, True, True]) == {("a",): ("q",)}


def settled(case: Case, old_config: Path) -> tuple[Layouts, Derivation]:
    """Derived without a look at the config, and settled with the old release."""
    python = old_python()
    if python is None:
        pytest.skip(NO_OLD_RELEASE)
    target = read_target_config(case.new_config, None, ())
    with Source(case.old) as source, open_target(target, Options()) as opened:
        model = opened.schema()
        layouts = Layouts(open_checkpoint(source).schema, model.schema, "old", "new")
        found = derive(layouts, "fork")
        assert found.assignment.open_ties
        old = OldModel(case.old, read_config(old_config), python)
        return layouts, settle(found, layouts, None, old, target, model, ())


@pytest.mark.mm
@pytest.mark.parametrize("name", ["mask2former_r18", "maskformer_r18_encoder", "maskformer_swin"])
def test_the_old_code_tells_the_attentions_apart(name: str, families: dict[str, RuleSet]) -> None:
    case = CASES[name]
    layouts, found = settled(case, Path(case.old_config))
    assert not found.assignment.open_ties
    right = make_plan(layouts.old, families[case.family])
    assert plan_of(found, layouts.old).targets == right.targets
    assert "old and new code give equal outputs this way" in found.text
    assert "UNDECIDED" not in found.text
    assert "2 ways were tried; with 1 the outputs equal" in found.notices[-1]


@pytest.mark.mm
def test_an_old_model_that_computes_something_else_decides_nothing(tmp_path: Path) -> None:
    case = CASES["maskformer_r18"]
    text = Path(case.old_config).read_text()
    other = tmp_path / "other.py"
    other.write_text(text.replace("num_heads=4", "num_heads=2"))
    assert other.read_text() != text
    _, found = settled(case, other)
    assert found.assignment.open_ties
    assert found.notices[-1].endswith("so that something else is wrong, too")
    assert "UNDECIDED" in found.text
