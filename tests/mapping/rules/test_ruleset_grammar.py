"""The fields of a rule file: each is known, each promise is kept, each fault has its line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mm_ckpt_migrate.errors import ExitCode, RuleError
from mm_ckpt_migrate.mapping.rules.library import load_library
from mm_ckpt_migrate.mapping.rules.load import load_lookalikes, load_ruleset

Refused = Callable[[bytes | str], RuleError]

MARK = "# here"
RULE = '  - from: "{head}.a.{i}.x.**"\n    to:   "{head}.a.{i}.y.**"\n'
CONTROL = '  - from: "{head}.a.{i}.x.**"\n    to:   "{head}.a.{i}.z.**"\n'
RULES, CONTROLS = "rules:\n" + RULE, "control:\n" + CONTROL
SAME = "control:\n" + RULE.replace('x.**"', 'x.**"  # here')
ROLES = 'roles:\n  - layers: "{head}.a.{i}"\n    config: "{head}.layers"\n'
ORDER = "    operation_order: [self_attn, norm]\n"


def test_the_minimal_file_loads(minimal: str, tmp_path: Path) -> None:
    path = tmp_path / "toy.yaml"
    path.write_text(minimal)
    rules = load_ruleset(path)
    assert (rules.family, rules.number, rules.released_from, rules.released_to) == ("toy", None, "1", "2")
    assert [str(rule) for rule in rules.rules] == ["{head}.a.{i}.x.** -> {head}.a.{i}.y.**"]
    assert [str(rule) for rule in rules.with_control().rules] == ["{head}.a.{i}.x.** -> {head}.a.{i}.z.**"]


@pytest.mark.parametrize(
    ("after", "added"),
    [("", "fold:\n  operation: add_to_tokens\n"), ('.y.**"\n', "    operation: add_to_tokens\n")],
)
def test_a_rule_cannot_change_values(after: str, added: str, minimal: str, refused: Refused) -> None:
    error = refused(minimal.replace(after, after + added, 1))
    assert f"`{added.strip().split(':')[0]}` is not a field that belongs here" in error.message


def replaced(text: str, old: str, new: str) -> tuple[str, int]:
    """The spoilt file, and the line that bears the mark."""
    assert old in text
    text = text.replace(old, new, 1)
    return text, next(n for n, line in enumerate(text.splitlines(), 1) if line.endswith(MARK))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        # Y11: unknown words.
        ("why: Because.", "why: Because.\nauthor: me  # here", "`author` is not a field"),
        ('  from: "1"', '  from: "1"\n  since: "0"  # here', "`since` is not a field"),
        ("  absent: []", "  absent: []\n  maybe: []  # here", "`maybe` is not a field"),
        ("roles: []", "    action: move  # here\nroles: []", "`action` is not a field"),
        ("schema: 1", "schema: 2  # here", "schema 1"),
        ("schema: 1", "schema: 0  # here", "schema 1"),
        ("schema: 1", 'schema: "1"  # here', "must be a number"),
        ("schema: 1", "schema: true  # here", "must be a number"),
        # Wrong kinds.
        ("family: toy", "family: Toy  # here", "no word"),
        ("family: toy", "family: ../toy  # here", "no word"),
        ("family: toy", 'family: "toy\\n"  # here', "no word"),
        ("family: toy", "family: 3  # here", "must hold text"),
        ("family: toy", "number: two  # here\nfamily: toy", "must be a number"),
        ("title: A toy", 'title: ""  # here', "must hold text"),
        ("title: A toy", "title: [a]  # here", "must hold text"),
        ('upstream: ["toy#1"]', "upstream: []  # here", "at least 1"),
        ('upstream: ["toy#1"]', "upstream: toy  # here", "at least 1"),
        ('upstream: ["toy#1"]', "upstream:\n  - a\n  - 7  # here", "must hold text"),
        ("  head: [left, right]", "  head: [left, a.b]  # here", "no word"),
        ("  head: [left, right]", "  head: []  # here", "at least 1"),
        ("  head: [left, right]", "  Head: [left]  # here", "no name of a capture"),
        ("  head: [left, right]", "  head: [x]\n  haed: [y]  # here", "no pattern has {haed}"),
        ('  present: ["{head}.a.**"]', "  present: []  # here", "at least 1"),
        ("  absent: []", '  absent: ["**"]  # here', "every key"),
        ("  absent: []", '  absent: ["a.**.b"]  # here', "no segment"),
        # Control.
        (CONTROLS, "control: []  # here\n", "at least 1"),
        (CONTROLS, SAME, "must differ from the rule"),
        (CONTROLS, SAME + "    optional: true\n", "must differ"),
        (CONTROLS, "control:\n  - {from: q, drop: true}  # here\n", "no rule moves 'q'"),
        # Roles.
        ("roles: []\n", ROLES + "    operation_order: [self]  # here\n", "no word"),
        ("roles: []\n", ROLES + "    operation_order: []  # here\n", "at least 1"),
        ("roles: []\n", ROLES + ORDER + "    note: x  # here\n", "`note` is not a field"),
    ],
)
def test_is_refused_on_its_line(minimal: str, refused: Refused, old: str, new: str, reason: str) -> None:
    text, line = replaced(minimal, old, new)
    error = refused(text)
    assert reason in str(error)
    assert error.line == line
    assert error.exit_code == ExitCode.BAD_RULES


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("just text  # here", "a table is expected"),
        ("from: a  # here", "either `to` or `drop: true`"),
        ("from: a  # here\n    drop: false", "either `to` or `drop: true`"),
        ("from: a  # here\n    to: b\n    drop: true", "either `to` or `drop: true`"),
        ('from: a\n    drop: "yes"  # here', "true or false"),
        ("from: a\n    to: b\n    optional: 1  # here", "true or false"),
        ("to: b  # here", "`from` is missing"),
        ('from: "a.{i}"\n    to: "b.{i}.{j}"  # here', "{j} does not stand in `from`"),
        ('from: "a.{i}.{j}"\n    to: "b.{i}"  # here', "{j} of `from` would be lost"),
        ('from: "a.**"\n    to: "b"  # here', "must end both"),
        ('from: "a"\n    to: "b.**"  # here', "must end both"),
        ('from: "a.**.b"  # here\n    to: "b"', "no segment"),
        ('from: "^((a+)+)$"  # here\n    to: "b"', "no segment"),
        ('from: "a"\n    to: "\\\\g<99>"  # here', "no segment"),
        ("from: a\n    to: b\n  - from: a  # here\n    drop: true", "a second rule moves 'a'"),
    ],
)
def test_a_rule_is_refused_on_its_line(minimal: str, refused: Refused, rule: str, reason: str) -> None:
    text, line = replaced(minimal, RULES, f"rules:\n  - {rule}\n")
    error = refused(text)
    assert reason in str(error)
    assert error.line == line


@pytest.mark.parametrize(
    "field", ["schema", "family", "title", "releases", "why", "upstream", "recognise", "rules", "control"]
)
def test_a_missing_field_is_named(minimal: str, refused: Refused, field: str) -> None:
    blocks = [f"{block}\n" for block in minimal.replace("\n", "\0").split("\0") if block]
    kept, skip = "", False
    for line in blocks:
        skip = line.startswith(field) or (skip and line[0] == " ")
        kept += "" if skip else line
    error = refused(kept)
    assert f"the field `{field}` is missing" in str(error)
    assert error.line == 1


def test_too_many_rules(minimal: str, refused: Refused) -> None:
    many = "".join(f'  - {{from: "a.k{n}", drop: true}}\n' for n in range(2001))
    assert "must be a list" in str(refused(minimal.replace(RULE, many, 1)))


def test_a_rule_may_drop(minimal: str, tmp_path: Path) -> None:
    path = tmp_path / "toy.yaml"
    path.write_text(minimal.replace(RULE, RULE + '  - {from: "{head}.d.**", drop: true}\n', 1))
    assert str(load_ruleset(path).rules[1]) == "{head}.d.** -> (dropped)"


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(RuleError, match="cannot be read"):
        load_ruleset(tmp_path / name)


@pytest.mark.parametrize(
    ("first", "second", "claim"), [("", "", "toy"), ("number: 1\n", "number: 1\nfamily: other\n", "1")]
)
def test_two_files_may_not_claim_one_name(
    minimal: str, tmp_path: Path, first: str, second: str, claim: str
) -> None:
    (tmp_path / "a.yaml").write_text(minimal + first)
    text = minimal.replace("family: toy\n", "") if "family" in second else minimal
    (tmp_path / "b.yaml").write_text(text + second)
    with pytest.raises(RuleError, match=f"claim the family '{claim}'"):
        load_library(tmp_path)


@pytest.mark.parametrize(
    ("text", "reason", "line"),
    [
        ("schema: 1\nlookalikes:\n  - name: x\n    present: []\n    advice: y\n", "at least 1", 4),
        ("schema: 1\nlookalikes:\n  - name: x\n    present: [a]\n", "`advice` is missing", 3),
        ("schema: 1\nlookalikes: []\nmore: []\n", "`more` is not a field", 3),
        ("schema: 9\nlookalikes: []\n", "schema 1", 1),
    ],
)
def test_lookalikes_are_as_strict(tmp_path: Path, text: str, reason: str, line: int) -> None:
    path = tmp_path / "lookalikes.yaml"
    path.write_text(text)
    with pytest.raises(RuleError) as caught:
        load_lookalikes(path)
    assert reason in str(caught.value)
    assert caught.value.line == line
