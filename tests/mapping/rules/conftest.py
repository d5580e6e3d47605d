"""A minimal rule file to spoil, and the shipped rules."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mm_ckpt_migrate.errors import ExitCode, RuleError
from mm_ckpt_migrate.mapping.rules.load import load_ruleset
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet

MINIMAL = """\
schema: 1
family: toy
title: A toy
releases:
  from: "1"
  to: "2"
why: Because.
upstream: ["toy#1"]
names:
  head: [left, right]
recognise:
  present: ["{head}.a.**"]
  absent: []
  old: ["{head}.a.{i}.x.**"]
  new: ["{head}.a.{i}.y.**"]
rules:
  - from: "{head}.a.{i}.x.**"
    to:   "{head}.a.{i}.y.**"
roles: []
control:
  - from: "{head}.a.{i}.x.**"
    to:   "{head}.a.{i}.z.**"
"""

Refused = Callable[[bytes | str], RuleError]
Loaded = Callable[[str], RuleSet]
MARK = "# here"


@pytest.fixture
def minimal() -> str:
    return MINIMAL


@pytest.fixture
def refused(tmp_path: Path) -> Refused:
    """Load a rule file that must not load, and give the error."""

    def load(text: bytes | str) -> RuleError:
        path = tmp_path / "toy.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(RuleError) as caught:
            load_ruleset(path)
        return caught.value

    return load


@pytest.fixture
def loaded(minimal: str, tmp_path: Path) -> Loaded:
    """The minimal rule file with more at its end."""

    def load(more: str) -> RuleSet:
        path = tmp_path / "toy.yaml"
        path.write_text(minimal + more)
        return load_ruleset(path)

    return load


@pytest.fixture
def refused_at(refused: Refused, minimal: str) -> Callable[..., str]:
    """The same, where it must not load: the reason, once the line was seen to be the marked one."""

    def refuse(more: str, old: str = "") -> str:
        assert old in minimal
        text = minimal.replace(old, more, 1) if old else minimal + more
        lines = [n for n, line in enumerate(text.splitlines(), 1) if line.endswith(MARK)]
        error = refused(text)
        assert [error.line] == lines
        assert error.exit_code == ExitCode.BAD_RULES
        return error.message + error.hint

    return refuse
