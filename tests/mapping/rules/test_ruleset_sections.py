"""Sections for families beyond the first: what may stand there, and each fault with its line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mm_ckpt_migrate.errors import RuleError
from mm_ckpt_migrate.mapping.rules.load import load_ruleset
from mm_ckpt_migrate.mapping.rules.ruleset import ABSENT, RuleSet

Refused = Callable[[bytes | str], RuleError]
Loaded = Callable[[str], RuleSet]

NEED = """\
needs:
  - key: "{head}.a.{i}.bias"
    config: model.backbone
    type: Layer
    set: {bias: true, rate: "0.5", size: 3, kind: own, none: null}
    why: it would be lost
"""
WORDS = "{from: model.a.b, to: model.c"


def test_none_of_them_is_needed(loaded: Loaded) -> None:
    rules = loaded("")
    assert (rules.relocations, rules.needs, rules.versions) == ((), (), ())
    assert (rules.order, rules.next_family, rules.following) == ((), None, None)
    assert rules.last is rules


# --- relocate -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "source", "target", "value"),
    [
        ("{from: model.a.b, to: model.c}", "model.a.b", "model.c", ABSENT),
        ("{from: model.a.b, to: model.c.d.e}", "model.a.b", "model.c.d.e", ABSENT),
        (WORDS + ", default: 100}", "model.a.b", "model.c", 100),
        (WORDS + ", default: null}", "model.a.b", "model.c", None),
        (WORDS + ', default: "0.5"}', "model.a.b", "model.c", 0.5),
        (
            WORDS + ', default: {x: "1.0", y: [1, "-2.5", word]}}',
            "model.a.b",
            "model.c",
            {"x": 1.0, "y": [1, -2.5, "word"]},
        ),
        ("{to: model.c, value: ChannelMapper}", None, "model.c", "ChannelMapper"),
        ("{to: model.c, value: null}", None, "model.c", None),
        ("{to: model.c, value: false}", None, "model.c", False),
        ("{gone: model.a.b}", "model.a.b", None, ABSENT),
    ],
)
def test_where_a_setting_belongs_now(
    entry: str, source: str | None, target: str | None, value: Any, loaded: Loaded
) -> None:
    (found,) = loaded(f"relocate:\n  - {entry}\n").relocations
    split = [None if text is None else tuple(text.split(".")) for text in (source, target)]
    assert [found.source, found.target] == split
    assert repr(found.value) == repr(value)
    assert (found.keep, found.wrap, found.when) == (False, False, None)


def test_how_it_gets_there(loaded: Loaded) -> None:
    more = ", keep: true, wrap: true, when: model.a.flag"
    (found,) = loaded(f"relocate:\n  - {WORDS}{more}}}\n").relocations
    assert (found.keep, found.wrap, found.when) == (True, True, ("model", "a", "flag"))


def test_a_value_in_the_place_of_another(loaded: Loaded) -> None:
    entry = "{replace: model.a.type, was: Old, value: New}"
    (found,) = loaded(f"relocate:\n  - {entry}\n").relocations
    assert found.source == found.target == ("model", "a", "type")
    assert (found.was, found.value, found.keep) == ("Old", "New", False)


def test_relocations_keep_their_order(loaded: Loaded) -> None:
    entries = ["{from: model.b, to: model.a}", "{gone: model.c}", "{to: model.b, value: 1}"]
    found = loaded("relocate:\n" + "".join(f"  - {entry}\n" for entry in entries)).relocations
    assert [r.target for r in found] == [("model", "a"), None, ("model", "b")]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("{from: model.a.b, too: model.c}", "`to` is missing"),
        (WORDS + ", value: 1}", "`value` is not a field"),
        (WORDS + ", default: 0.5}", "Quote it"),
        (WORDS + ", note: x}", "`note` is not a field"),
        (WORDS + ", keep: 1}", "must be true or false"),
        (WORDS + ', wrap: "yes"}', "must be true or false"),
        (WORDS + ", when: bbox_head.flag}", "no word for `when`"),
        (WORDS + ", when: true}", "must hold text"),
        ("{to: model.c}", "the field `value` is missing"),
        ("{to: model.c, default: 1}", "the field `value` is missing"),
        ("{to: model.c, value: 1, default: 2}", "`default` is not a field"),
        ("{from: model, to: model.c}", "no word for `from`"),
        ("{from: optimizer.lr, to: model.c}", "no word for `from`"),
        ("{from: model.a.b, to: bbox_head}", "no word for `to`"),
        ('{from: "model.a.{i}", to: model.c}', "no word for `from`"),
        ('{from: "model.a.**", to: model.c}', "no word for `from`"),
        ("{from: model..a, to: model.c}", "no word for `from`"),
        ("{from: model.a.0, to: model.c}", "no word for `from`"),
        ('{from: "model.a\\n", to: model.c}', "no word for `from`"),
        ("{from: [model.a], to: model.c}", "must hold text"),
        ("{gone: model}", "no word for `gone`"),
        ("{gone: model.a, to: model.c}", "`to` is not a field"),
        ("{gone: model.a, value: 1}", "`value` is not a field"),
        ("{gone: model.a, from: model.b}", "field"),
        ("{gone: model.a, when: model.b.c}", "`when` is not a field"),
        ("{replace: model.a.type, value: New}", "`was` is missing"),
        ("{replace: model.a.type, was: Old}", "`value` is missing"),
        ("{replace: model.a.type, was: 3, value: New}", "must hold text"),
        ("{replace: model.a.type, was: a b, value: New}", "no word for `was`"),
        ("{replace: type, was: Old, value: New}", "no word for `replace`"),
        ("{replace: model.a.type, was: Old, value: New, to: model.b}", "`to` is not a field"),
        (WORDS + ", was: Old}", "`was` is not a field"),
        ("{to: model.c, value: 1, keep: true}", "`keep` is not a field"),
        ("{to: model.c, value: 1, wrap: true}", "`wrap` is not a field"),
        ("model.a", "a table is expected"),
        (f"{{from: model{'.a' * 17}, to: model.c}}", "no word for `from`"),
    ],
)
def test_a_relocation_is_refused(entry: str, reason: str, refused_at: Callable[..., str]) -> None:
    assert reason in refused_at(f"relocate:\n  - {entry}  # here\n")


@pytest.mark.parametrize("name", ["relocate", "needs"])
@pytest.mark.parametrize("value", ["[]", "{}", "word", "null"])
def test_a_section_that_says_nothing(name: str, value: str, refused_at: Callable[..., str]) -> None:
    assert "at least 1" in refused_at(f"{name}: {value}  # here\n")


# --- needs --------------------------------------------------------------------------------------


def test_what_the_weights_decide(loaded: Loaded) -> None:
    (need,) = loaded(NEED).needs
    assert need.key.match(("left", "a", "3", "bias")) is not None
    assert need.key.match(("other", "a", "3", "bias")) is None
    assert (need.place, need.kind, need.why) == (("model", "backbone"), "Layer", "it would be lost")
    wanted = {"bias": True, "rate": 0.5, "size": 3, "kind": "own", "none": None}
    assert repr(need.settings) == repr(wanted)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('  - key: "{head}.a.{i}.bias"', "  - key: a..b  # here", "no segment"),
        ('  - key: "{head}.a.{i}.bias"', '  - key: "**"  # here', "every key"),
        ('  - key: "{head}.a.{i}.bias"\n    config:', "  - config:  # here\n     ", "`key` is"),
        ("    config: model.backbone", "    config: backbone  # here", "no word for `config`"),
        ("    config: model.backbone", "    config: model  # here", "no word for `config`"),
        ("    type: Layer", "    type: mmseg.Layer  # here", "no word for `type`"),
        ("    type: Layer", "    type: [Layer]  # here", "must hold text"),
        ("set: {bias: true,", "set: {bias: [1],  # here\n         ", "must hold text"),
        ("set: {bias: true,", "set: {bias: 0.5,  # here\n         ", "Quote it"),
        ("    why: it would be lost", '    why: ""  # here', "must hold text"),
        ("    why: it would be lost", "    why: x\n    note: y  # here", "`note` is not"),
    ],
)
def test_a_need_is_refused(old: str, new: str, reason: str, refused_at: Callable[..., str]) -> None:
    assert old in NEED
    assert reason in refused_at(NEED.replace(old, new, 1))


RULES = 'rules:\n  - from: "{head}.a.{i}.x.**"\n    to:   "{head}.a.{i}.y.**"\n'


def test_a_family_may_have_needs_and_no_rules(minimal: str, tmp_path: Path) -> None:
    path = tmp_path / "toy.yaml"
    path.write_text(minimal.replace(RULES, "rules: []\n", 1) + NEED)
    rules = load_ruleset(path)
    assert rules.rules == ()
    assert rules.best_rule("left.a.0.x.w") is None


def test_but_not_neither(minimal: str, refused: Refused) -> None:
    error = refused(minimal.replace(RULES, "rules: []\n", 1))
    assert "it has neither `rules` nor `needs`" in error.message
