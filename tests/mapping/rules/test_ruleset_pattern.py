"""Patterns: whole keys, segment by segment, and back."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_ckpt_migrate.mapping.rules.pattern import Pattern, PatternError, compile_pattern
from mm_ckpt_migrate.mapping.rules.ruleset import Rule

CHOICES = {"head": frozenset({"decode_head", "panoptic_head"})}


def match(pattern: str, key: str, *, module: bool = False) -> dict[str, str] | None:
    found = compile_pattern(pattern, CHOICES).match(tuple(key.split(".")), empty_rest=module)
    return None if found is None else {k: v for k, v in found.items() if k != "**"}


@pytest.mark.parametrize(
    ("pattern", "key", "captures"),
    [
        ("a.b", "a.b", {}),
        ("a.{i}.b", "a.7.b", {"i": "7"}),
        ("a.**", "a.b.c", {}),
        ("{i}.x.{i}", "3.x.3", {"i": "3"}),
        ("{head}.w", "decode_head.w", {"head": "decode_head"}),
        ("a.{i}", "a.{i}", {"i": "{i}"}),
        ("{head}.{n}.**", "panoptic_head.0.bias", {"head": "panoptic_head", "n": "0"}),
    ],
)
def test_matches(pattern: str, key: str, captures: dict[str, str]) -> None:
    assert match(pattern, key) == captures


@pytest.mark.parametrize(
    ("pattern", "key"),
    [
        ("a.b", "a.b.c"),
        ("a.b", "a"),
        ("a.b", "xa.b"),
        ("a.**", "a"),
        ("a.{i}.b", "a.b"),
        ("a.{i}.b", "a.1.2.b"),
        ("{i}.x.{i}", "3.x.4"),
        ("{head}.w", "bbox_head.w"),
        ("{head}.w", "{head}.w"),
        ("a.attentions.0.**", "a.attentions.00.w"),
        ("a.b", "A.b"),
        ("a.b", "a.b "),
    ],
)
def test_does_not_match(pattern: str, key: str) -> None:
    assert match(pattern, key) is None


def test_the_rest_may_be_empty_for_a_module_only() -> None:
    assert match("a.{i}.**", "a.0", module=True) == {"i": "0"}
    assert match("a.{i}.**", "a", module=True) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "**",
        ".",
        "a.",
        ".a",
        "a..b",
        "a.**.b",
        "**.a",
        "a.*",
        "a.{}",
        "a.{I}",
        "a.{i}x",
        "a.x{i}",
        "a b",
        "a.[0-9]",
        "^a$",
        "a.(b|c)",
        "a.\\d",
        "ä",
        "a.{i}.**.**",
        "a.{0}",
        "a.{i",
    ],
)
def test_is_no_pattern(text: str) -> None:
    with pytest.raises(PatternError):
        compile_pattern(text, {})


@pytest.mark.parametrize(
    ("winner", "loser"),
    [("a.b.{i}", "a.{j}.{i}"), ("a.{i}.c.**", "a.{i}.**"), ("a.b", "a.**"), ("a.{i}", "{j}.**")],
)
def test_more_literal_wins(winner: str, loser: str) -> None:
    specificity = [compile_pattern(text, {}).specificity for text in (winner, loser)]
    assert specificity[0] > specificity[1]


# --- properties ---------------------------------------------------------------------------------

LITERALS = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=5)
CAPTURES = st.sampled_from(["{i}", "{j}", "{head}"])
# Parts of keys, among them what looks like the grammar itself.
PARTS = st.one_of(
    st.sampled_from(["{i}", "{j}", "**", "decode_head", "0", "1"]),
    st.text(st.characters(exclude_characters=".", exclude_categories=["Cs"]), min_size=1),
)


@st.composite
def patterns(draw: st.DrawFn) -> Pattern:
    segments = draw(st.lists(LITERALS | CAPTURES, min_size=1, max_size=6))
    return compile_pattern(".".join(segments + draw(st.sampled_from([[], ["**"]]))), CHOICES)


def bindings(pattern: Pattern) -> st.SearchStrategy[dict[str, str]]:
    values = {n: st.sampled_from(sorted(CHOICES[n])) if n in CHOICES else PARTS for n in pattern.captures}
    rest = st.lists(PARTS, min_size=1, max_size=3).map(".".join)
    return st.fixed_dictionaries({**values, "**": rest if pattern.has_rest else st.just("")})


@given(st.data())
def test_what_a_pattern_fills_it_matches_again(data: st.DataObject) -> None:
    pattern = data.draw(patterns())
    found = data.draw(bindings(pattern))
    key = pattern.fill(found)
    assert pattern.match(tuple(key.split("."))) == found


@given(patterns(), st.lists(PARTS, min_size=1, max_size=8))
def test_a_match_says_all_of_the_key(pattern: Pattern, parts: list[str]) -> None:
    found = pattern.match(tuple(parts))
    if found is not None:
        assert pattern.fill(found) == ".".join(parts)


@given(st.data())
def test_a_rule_read_backwards_gives_the_key_back(data: st.DataObject) -> None:
    source = data.draw(patterns())
    order = data.draw(st.permutations(source.segments))
    target = compile_pattern(".".join([*order, *["**"] * source.has_rest]), CHOICES)
    key = source.fill(data.draw(bindings(source)))
    moved = Rule(source, target).apply(tuple(key.split(".")))
    assert moved is not None
    assert Rule(target, source).apply(tuple(moved.split("."))) == key
