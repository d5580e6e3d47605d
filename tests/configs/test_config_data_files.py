"""JSON and YAML configs."""

from __future__ import annotations

import pytest

from mm_ckpt_migrate.configs.read.config import read_config
from mm_ckpt_migrate.errors import ConfigError

BASE = '{"model": {"type": "M", "x": [1, null, true]}, "root": "data/"}'


def test_json(write) -> None:
    text = '{"_base_": "a.json", "model": {"x": 2}, "b": {{ _base_.root }}, "c": "{{fileExtname}}"}'
    expected = {"model": {"type": "M", "x": 2}, "root": "data/", "b": "data/", "c": ".json"}
    assert read_config(write(a__json=BASE, b__json=text)) == expected


def test_yaml(write) -> None:
    text = "_base_: [a.json]\nmodel:\n  x: 2\nb: {{ _base_.model.x }}\nc: [1.5, no]\n"
    expected = {"model": {"type": "M", "x": 2}, "root": "data/", "b": [1, None, True], "c": [1.5, False]}
    assert read_config(write(a__json=BASE, b__yaml=text)) == expected
    assert read_config(write(a__json=BASE, b__yml=text)) == expected


def test_python_on_top_of_json(write) -> None:
    child = write(a__json=BASE, b__py="_base_ = 'a.json'\nx = _base_.model.x[0]")
    assert read_config(child)["x"] == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[1]", "the file holds a list"),
        ("{", "not JSON"),
        ('{"a": "{{_base_.x}}"}', "not JSON"),
        ('{"a": {{_base_.x}}}', "the base configs have no 'x'"),
        ('{"a": ' + "[" * 200 + "]" * 200 + "}", "nested"),
        ("[" * 100_000, "not JSON"),
        ('{"a": ' + "9" * 100 + "}", "an integer has more than 128 bits"),
    ],
)
def test_refused_json(write, text: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_config(write(a__json=text))
    assert reason in caught.value.reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("- 1", "the file holds a list"),
        ("a: [", "not plain YAML"),
        ("a: &x 1\nb: *x", "anchors and aliases are not read"),
        ("a: 1\nb: *x", "anchors and aliases are not read"),
        ("a: !!python/object/apply:os.system ['true']", "YAML tags are not read"),
        ("a: !!python/tuple [1]", "YAML tags are not read"),
        # PyYAML fails on these with a KeyError and an IndexError.
        ("a: !!bool x", "YAML tags are not read"),
        ('a: !!int ""', "YAML tags are not read"),
        ("a: 1\x16", "not plain YAML"),
        ("a: 2001-01-01", "does not hold a date"),
        ("1: a", "a dict key is a int"),
        ("a: !!binary aGk=", "YAML tags are not read"),
        ("a: " + "[" * 1000, "not plain YAML"),
        ("a: [" + "1," * 110_000 + "]", "steps to read"),
    ],
)
def test_refused_yaml(write, text: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_config(write(a__yaml=text))
    assert reason in caught.value.reason
