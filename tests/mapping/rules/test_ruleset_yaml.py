"""The YAML below the rules: plain data on known lines, and nothing that surprises."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import yaml

from mm_ckpt_migrate.errors import RuleError

Refused = Callable[[bytes | str], RuleError]
MARK = "# here"


def spoil(minimal: str, old: str, new: str) -> tuple[str, int | None]:
    """Replace one piece of the file; the fault is on the line that bears the mark."""
    assert old in minimal
    text = minimal.replace(old, new, 1)
    lines = [number for number, line in enumerate(text.splitlines(), 1) if line.endswith(MARK)]
    return text, lines[0] if lines else None


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        # Y4, Y5, Y10: nothing expands, nothing is constructed.
        ("title: A toy", "title: &a A toy  # here", "anchors and aliases"),
        ("why: Because.", "why: *a  # here", "anchors and aliases"),
        ("names:\n", "names: &n  # here\n", "anchors and aliases"),
        ("releases:\n", "releases:\n  <<: {}  # here\n", "'<<' as a merge"),
        ("title: A toy", "title: !!str A toy  # here", "tags such as"),
        ("title: A toy", "title: !!python/object/apply:os.system [id]  # here", "tags such as"),
        ("title: A toy", "title: !x A toy  # here", "tags such as"),
        # Y9: words that YAML reads as something else.
        ("title: A toy", "title: no  # here", "'no' as a bool"),
        ("title: A toy", "title: On  # here", "'On' as a bool"),
        ("title: A toy", "title: ~  # here", "'~' as a null"),
        ("title: A toy", "title:  # here", "'' as a null"),
        ("schema: 1", "schema: 01  # here", "'01' as a int"),
        ("schema: 1", "schema: 0x1  # here", "'0x1' as a int"),
        ("schema: 1", "schema: 1.0  # here", "'1.0' as a float"),
        ("title: A toy", "title: 1:30  # here", "'1:30' as a int"),
        ("title: A toy", "title: 010  # here", "'010' as a int"),
        ("title: A toy", "title: 2022-12-01  # here", "as a timestamp"),
        ("title: A toy", "title: 1_000  # here", "'1_000' as a int"),
        ('  from: "1"', "  from: 1.0  # here", "'1.0' as a float"),
        # Shapes of keys.
        ("title: A toy", "? [a]  # here\n: b", "plain word"),
        ("title: A toy", "1: b  # here", "plain word"),
        ("title: A toy", "yes: b  # here", "'yes' as a bool"),
        # Not YAML at all.
        ("title: A toy", "title: A toy\n\twhy: x  # here", "not YAML"),
        ("title: A toy", "title:\t\tA toy:\tb  # here", "not YAML"),
        ("title: A toy", "title: 'A toy  # here", "not YAML"),
        ("title: A toy", "title: A: toy  # here", "not YAML"),
    ],
)
def test_is_refused_on_its_line(minimal: str, refused: Refused, old: str, new: str, reason: str) -> None:
    text, line = spoil(minimal, old, new)
    error = refused(text)
    assert reason in str(error)
    if "'A toy" not in new:  # an open quote is noticed at the end of the file
        assert error.line == line


def test_a_key_that_stands_twice_is_named_with_both_lines(minimal: str, refused: Refused) -> None:
    error = refused(minimal.replace("why:", "title: Again\nwhy:"))
    assert error.line == 7
    assert "'title' stands here and on line 3" in str(error)


def test_a_key_that_stands_twice_in_a_rule(minimal: str, refused: Refused) -> None:
    error = refused(minimal.replace("roles:", '    to:   "{head}.a.{i}.w.**"\nroles:'))
    assert error.line == 19
    assert "'to' stands here and on line 18" in str(error)


def test_quotes_are_suggested(minimal: str, refused: Refused) -> None:
    assert refused(minimal.replace("A toy", "no")).hint == 'Quote it where text is meant: "no".'


@pytest.mark.parametrize(
    ("raw", "reason", "line"),
    [
        (b"", "it is empty", None),
        (b"# only a comment\n", "it is empty", None),
        (b"\xef\xbb\xbfschema: 1\n", "byte order mark", 1),
        ("schema: 1\ntitle: é\n".encode("latin-1"), "not UTF-8", None),
        ("schema: 1\n".encode("utf-16"), "not UTF-8", None),
        (b"schema: 1\nx: \x00\n", "control characters", 2),
        ("schema: 1\nä: ö\nx: \x1b[2J\n".encode(), "control characters", 3),
        (b"schema: 1\n---\nschema: 1\n", "not YAML", 2),
        (b"a: " + b"[" * 1000, "nest this deep", 1),
        (b"a: " + b"[" * 100_000, "nest this deep", 1),
        (b"a:\n" + b"- x\n" * 20_001, "this large", 19_999),
        (b"a: " + b"x" * (1 << 20), "1 MiB at most", None),
        (b"- a\n", "a table is expected", 1),
        (b"just text\n", "a table is expected", 1),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_is_no_rule_file(refused: Refused, raw: bytes, reason: str, line: int | None) -> None:
    error = refused(raw)
    assert reason in str(error)
    assert error.line == line
    assert "\n" not in str(error)


def test_a_billion_laughs_cost_nothing(refused: Refused) -> None:
    layers = "".join(
        f"{name}: &{name} [{', '.join([f'*{below}'] * 9)}]\n"
        for below, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    text = "a: &a [lol]\n" + layers
    assert len(text) < 500
    assert refused(text).line == 1


def test_the_errors_are_as_strict_as_yaml_is_lax(minimal: str, refused: Refused) -> None:
    """PyYAML itself takes the last of two equal keys without a word: that is why we look."""
    text = minimal + "family: other\n"
    assert yaml.safe_load(text)["family"] == "other"
    assert refused(text).line == len(text.splitlines())
