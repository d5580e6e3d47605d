from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from mm_ckpt_migrate.mapping.rules.load import load_ruleset
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet
from mm_ckpt_migrate.schema import Schema, TensorSpec

TOY = """\
schema: 1
family: toy
title: A toy
releases: {from: "1", to: "2"}
why: Because.
upstream: ["toy#1"]
recognise: {present: ["a.**"], absent: [], old: ["{m}.{i}.old.**"], new: []}
rules:
"""
CONTROL = """
control:
  - {from: "a.{i}.old.**", drop: true}
"""


@pytest.fixture
def toy(tmp_path: Path) -> Callable[..., RuleSet]:
    """Rules given as YAML flow mappings; the first always moves `a.{i}.old.**`."""

    def make(*rules: str) -> RuleSet:
        path = tmp_path / "toy.yaml"
        first = '{from: "a.{i}.old.**", to: "a.{i}.new.**"}'
        path.write_text(TOY + "".join(f"  - {rule}\n" for rule in (first, *rules)) + CONTROL)
        return load_ruleset(path)

    return make


@pytest.fixture(scope="session")
def schema() -> Callable[..., Schema]:
    """A layout of scalars of these names."""

    def make(names: Iterable[str], modules: Iterable[str] | None = None) -> Schema:
        versions = None if modules is None else dict.fromkeys(modules, 1)
        return Schema(tuple(TensorSpec(name, (), "float32") for name in names), versions)

    return make
