"""The rule files that ship."""

from __future__ import annotations

from pathlib import Path

import pytest

from mm_ckpt_migrate.errors import FamilyError
from mm_ckpt_migrate.mapping.rules.library import Library, command_names, family_named, rules_folder
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet

FAMILIES = ("maskformer", "mask2former")


@pytest.fixture(params=FAMILIES)
def rules(request: pytest.FixtureRequest, library: Library) -> RuleSet:
    return family_named(library.families, request.param)


def test_every_file_in_the_folder_is_loaded(library: Library) -> None:
    files = {path.name for path in rules_folder().glob("*.yaml")} - {"lookalikes.yaml"}
    assert {rules.path.name for rules in library.families} == files
    assert all(rules.path.stem == rules.family for rules in library.families)


@pytest.mark.parametrize(
    ("typed", "family"), [("1", "maskformer"), ("2", "mask2former"), ("MaskFormer", "maskformer")]
)
def test_a_family_goes_by_number_and_name(typed: str, family: str, library: Library) -> None:
    assert family_named(library.families, typed).family == family


@pytest.mark.parametrize("typed", ["3", "", "mask", "maskformer ", "01"])
def test_an_unknown_family_is_told_what_there_is(typed: str, library: Library) -> None:
    with pytest.raises(FamilyError) as caught:
        family_named(library.families, typed)
    assert "1 or maskformer, 2 or mask2former" in caught.value.hint


def test_numbers_are_those_of_the_converter_that_upstream_ships(library: Library) -> None:
    names = [command_names(rules) for rules in library.families[:2]]
    assert names == [["maskformer", "1"], ["mask2former", "2"]]


def test_the_order_of_the_attentions_is_what_tells_the_families_apart(library: Library) -> None:
    decoders = [family_named(library.families, name).roles[0] for name in FAMILIES]
    assert [role.attentions for role in decoders] == [
        ("self_attn", "cross_attn"),
        ("cross_attn", "self_attn"),
    ]


def test_rules_agree_with_the_roles_they_state(rules: RuleSet) -> None:
    """attentions.N becomes the N-th attention of `operation_order`, in every transformer."""
    for role in rules.roles:
        for index, name in enumerate(role.attentions):
            key = f"{role.layers.fill({'head': 'decode_head', 'i': '3'})}.attentions.{index}.x"
            rule = rules.best_rule(key)
            assert rule is not None
            moved = rule.apply(tuple(key.split(".")))
            assert moved == key.replace(f"attentions.{index}", name)


def test_the_control_exchanges_what_the_rules_move(rules: RuleSet) -> None:
    right, wrong = (
        {rule.source.text: rule.target.text for rule in moves if rule.target}
        for moves in (rules.rules, rules.with_control().rules)
    )
    changed = {source for source in right if right[source] != wrong[source]}
    assert {rule.source.text for rule in rules.control} == changed
    assert {right[source] for source in changed} == {wrong[source] for source in changed}


def test_no_two_rules_could_ever_tie(rules: RuleSet) -> None:
    """Whatever key one rule's pattern makes, no other rule fits it as well."""
    for rule in rules.rules:
        found = {"head": "decode_head", "i": "0", "n": "0", "**": "weight"}
        assert rules.best_rule(rule.source.fill(found)) is rule


def test_a_rule_never_moves_its_own_result(rules: RuleSet) -> None:
    found = {"head": "panoptic_head", "i": "11", "**": "attn.in_proj_weight"}
    for rule in rules.rules:
        assert rule.target is not None
        assert rules.best_rule(rule.target.fill(found)) is None


def test_rules_say_why_and_where_from(rules: RuleSet) -> None:
    assert len(rules.why) > 80
    assert all("#" in line for line in rules.upstream)
    assert isinstance(rules.path, Path)
    assert len(rules.digest) == 64
