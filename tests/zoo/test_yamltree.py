"""YAML as text: what metafiles contain, and what no metafile does."""

from __future__ import annotations

import pytest

from mm_ckpt_migrate.zoo.yamltree import MAX_BYTES, MAX_DEPTH, MAX_NODES, YamlError, read_yaml


def read(text: str):
    return read_yaml(text.encode())


def test_values_stay_text() -> None:
    root = read("a: 1e5\nb: 2024-01-02\nc: yes\nd: 044\ne: '44.29'\n")
    assert [root[key].text for key in "abcde"] == ["1e5", "2024-01-02", "yes", "044", "44.29"]


@pytest.mark.parametrize("nothing", ["", "null", "~", "NULL"])
def test_nothing_is_empty(nothing: str) -> None:
    assert read(f"a: {nothing}\n")["a"].text == ""


def test_a_quoted_null_is_text() -> None:
    assert read("a: 'null'\n")["a"].text == "null"


def test_what_is_not_there_is_empty() -> None:
    root = read("a: {b: 1}\n")
    assert root["x"]["y"].text == ""
    assert root["a"]["b"]["c"].text == ""


def test_a_list_and_a_single_one_read_alike() -> None:
    root = read("one: x\nmany: [x, y]\nnone:\n")
    assert root["one"].texts == ("x",)
    assert root["many"].texts == ("x", "y")
    assert root["none"].texts == ()


def test_lines_are_known() -> None:
    root = read("a:\n- x\n- y:\n    z: 1\n")
    assert [item.line for item in root["a"].items] == [2, 3]
    assert root["a"].items[1]["y"]["z"].line == 4


def test_only_the_first_document_counts() -> None:
    assert read("a: 1\n---\na: 2\n")["a"].text == "1"


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
def test_an_empty_file_holds_nothing(text: str) -> None:
    assert read(text).text == ""


def test_a_byte_order_mark_is_no_text() -> None:
    assert read_yaml(b"\xef\xbb\xbfa: 1\n")["a"].text == "1"


BOMB = "a: &a [x, x]\n" + "".join(
    f"{new}: &{new} [*{old}, *{old}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (BOMB, "anchors or aliases"),
        ("a: *b\n", "anchors or aliases"),
        ("a: [\n", "not YAML"),
        ("a: b: c\n", "not YAML"),
        ("\x00", "control characters"),
        ("a: \x1b[31m\n", "control characters"),
        ("? [a, b]\n: c\n", "a key must be text"),
        ("- " * (MAX_DEPTH + 1) + "x", "nested deeper"),
        ("- " * 100_000 + "x", "nested deeper"),
        ("[" * 100_000, "nested deeper"),
        ("[" + "x," * MAX_NODES + "]", "holds more"),
        ("#" * (MAX_BYTES + 1), "larger than"),
    ],
)
def test_refused(text: str, reason: str) -> None:
    with pytest.raises(YamlError, match=reason):
        read(text)


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(YamlError, match="UTF-8"):
        read_yaml(b"a: \xff\n")


def test_a_fault_has_its_line() -> None:
    with pytest.raises(YamlError) as caught:
        read("a: 1\nb: &x 2\n")
    assert caught.value.line == 2


def test_deep_but_genuine() -> None:
    assert read("- " * (MAX_DEPTH - 1) + "x").items
