"""Versions, orders, controls, kinds and chains of a rule file: each fault with its line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mm_ckpt_migrate.errors import ExitCode, RuleError
from mm_ckpt_migrate.mapping.rules.library import load_library
from mm_ckpt_migrate.mapping.rules.load import load_ruleset
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet

Refused = Callable[[bytes | str], RuleError]
Loaded = Callable[[str], RuleSet]

AT = 'config:\n  - at: ["model.x"]\n    keep: [size]\n    type: '


# --- versions -----------------------------------------------------------------------------------


def test_versions_of_modules(loaded: Loaded) -> None:
    rules = loaded('versions:\n  - {module: left, version: 2}\n  - {module: "{head}.a.**", version: 3}\n')
    assert [rules.version(path, 1) for path in ("left", "left.a", "left.a.b", "right", "")] == [2, 1, 3, 1, 1]
    assert rules.version("left", None) is None


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("{module: left}", "`version` is missing"),
        ("{version: 2}", "`module` is missing"),
        ("{module: left, version: true}", "must be a number"),
        ('{module: left, version: "2"}', "must be a number"),
        ("{module: left, version: null}", "must be a number"),
        ("{module: left.., version: 2}", "no segment"),
        ("{module: left, version: 2, to: x}", "`to` is not a field"),
    ],
)
def test_a_version_is_refused(entry: str, reason: str, refused_at: Callable[..., str]) -> None:
    assert reason in refused_at(f"versions:\n  - {entry}  # here\n")


# --- order --------------------------------------------------------------------------------------


def test_the_order_of_the_model_itself(loaded: Loaded) -> None:
    root, layer = loaded(
        'order:\n  - children: [b, a]\n  - {layers: "{head}.a.{i}", children: [y, x-2]}\n'
    ).order
    assert (root.layers, root.children) == (None, ("b", "a"))
    assert layer.layers is not None
    assert (layer.layers.text, layer.children) == ("{head}.a.{i}", ("y", "x-2"))


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("{layers: left}", "`children` is missing"),
        ("{children: [a, b, a]}", "a child stands in the list twice"),
        ("{children: [a.b]}", "no word for `children`"),
        ("{children: a}", "must be a list"),
        ("{children: [3]}", "must hold text"),
        ("{layers: null, children: [a]}", "must hold text"),
        ("{layers: left..a, children: [a]}", "no segment"),
        ("{layer: left, children: [a]}", "`layer` is not a field"),
    ],
)
def test_an_order_is_refused(entry: str, reason: str, refused_at: Callable[..., str]) -> None:
    assert reason in refused_at(f"order:\n  - {entry}  # here\n")


# --- control ------------------------------------------------------------------------------------

CONTROL = 'control:\n  - from: "{head}.a.{i}.x.**"\n    to:   "{head}.a.{i}.z.**"\n'


def test_a_control_beside_the_rules(minimal: str, tmp_path: Path) -> None:
    """What no rule moves may be exchanged; the rules stay."""
    path = tmp_path / "toy.yaml"
    other = 'control:\n  - {from: "{head}.b.0", to: "{head}.b.1"}\n'
    path.write_text(minimal.replace(CONTROL, other, 1))
    rules = load_ruleset(path)
    assert [str(rule) for rule in rules.with_control().rules] == [
        "{head}.a.{i}.x.** -> {head}.a.{i}.y.**",
        "{head}.b.0 -> {head}.b.1",
    ]
    assert [str(rule) for rule in rules.rules] == ["{head}.a.{i}.x.** -> {head}.a.{i}.y.**"]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ('{from: "{head}.b", to: "{head}.b"}', "must differ from the rule"),
        ('{from: "{head}.b.**", to: "{head}.b.**"}', "must differ from the rule"),
        ('{from: "{head}.b", drop: true}', "no rule moves '{head}.b'"),
        ('{from: "{head}.b.{i}", to: "{head}.b"}', "would be lost"),
    ],
)
def test_a_control_that_is_none(entry: str, reason: str, refused_at: Callable[..., str]) -> None:
    assert reason in refused_at(f"control:\n  - {entry}  # here\n", CONTROL)


# --- the kinds of a list ------------------------------------------------------------------------


def test_a_kind_for_each_element(loaded: Loaded) -> None:
    (rule,) = loaded(AT + "[First, Second]\n").config
    paths = [("model", "x", number) for number in ("0", "1", "2")]
    assert [rule.kind_at(path) for path in paths] == ["First", "Second", None]
    # A dict in the place of a list stands for its first element.
    assert rule.kind_at(("model", "x")) == "First"


def test_one_kind_for_all_elements_and_none(loaded: Loaded) -> None:
    (one,) = loaded(AT + "First\n").config
    assert [one.kind_at(("model", "x", n)) for n in ("0", "7")] == ["First", "First"]
    (none,) = loaded(AT.rpartition("    type")[0]).config
    assert none.kind_at(("model", "x", "0")) is None


@pytest.mark.parametrize(
    ("kinds", "reason"),
    [
        ("[First]", "at least 2"),
        ("[]", "at least 2"),
        ("[First, 2]", "must hold text"),
        ("[First, mmcv.Second]", "no word"),
        ("{a: First}", "must hold text"),
    ],
)
def test_kinds_are_refused(kinds: str, reason: str, refused_at: Callable[..., str]) -> None:
    assert reason in refused_at(AT + f"{kinds}  # here\n")


# --- next ---------------------------------------------------------------------------------------

Chain = Callable[[dict[str, str | None]], tuple[RuleSet, ...]]


@pytest.fixture
def chain(minimal: str, tmp_path: Path) -> Chain:
    """Load a folder of rule files, each given with the family that it names as its next."""

    def load(links: dict[str, str | None]) -> tuple[RuleSet, ...]:
        for family, following in links.items():
            text = minimal.replace("family: toy", f"family: {family}", 1)
            more = f"next: {following}\n" if following else ""
            (tmp_path / f"{family}.yaml").write_text(text + more)
        return load_library(tmp_path)

    return load


def test_a_chain_ends_in_the_current_release(chain: Chain) -> None:
    found = {rules.family: rules for rules in chain({"c": None, "a": "b", "b": "c"})}
    first = found["a"]
    assert first.following == found["b"]
    assert found["b"].following == found["c"]
    assert [rules.last.family for rules in found.values()] == ["c", "c", "c"]


@pytest.mark.parametrize(
    "links",
    [
        {"a": "nowhere"},
        {"a": "a"},
        {"a": "b", "b": "a"},
        {"a": "b", "b": "c", "c": "b"},
        {"a": "b", "b": "nowhere"},
    ],
)
def test_a_chain_that_does_not_end(links: dict[str, str | None], chain: Chain) -> None:
    with pytest.raises(RuleError, match=r"`next` leads to no family '\w+'") as caught:
        chain(links)
    assert caught.value.exit_code == ExitCode.BAD_RULES


def test_the_control_is_in_the_last_generation_only(chain: Chain) -> None:
    """One error is enough, and it is the one that loads strictly."""
    first = next(rules for rules in chain({"a": "b", "b": None}) if rules.family == "a")
    wrong = first.with_control()
    assert wrong.following is not None
    assert first.following is not None
    assert wrong.rules == first.rules
    assert wrong.following.rules == first.following.with_control().rules != first.following.rules


@pytest.mark.parametrize("text", ["Toy", "../toy", "[toy]", "3", "null"])
def test_a_next_that_is_no_name(text: str, refused_at: Callable[..., str]) -> None:
    assert "`next`" in refused_at(f"next: {text}  # here\n")


def test_a_file_alone_has_a_name_for_its_next_only(loaded: Loaded) -> None:
    rules = loaded("next: other\n")
    assert (rules.next_family, rules.following) == ("other", None)
