"""The `fold` section of a rule file, and each fault with its line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mm_ckpt_migrate.errors import RuleError
from mm_ckpt_migrate.mapping.rules.library import Library
from mm_ckpt_migrate.mapping.rules.load import load_ruleset

FOLD = """\
fold:
  operation: add_to_tokens
  from: a.bias
  into: a.positions
  unless: ["{head}.a.norm.**"]
  why: it can
"""


def test_it_is_loaded(minimal: str, tmp_path: Path) -> None:
    path = tmp_path / "toy.yaml"
    path.write_text(minimal + FOLD)
    found = load_ruleset(path).fold
    assert found is not None
    fold = found.fold
    assert (fold.operation, fold.source, fold.into) == ("add_to_tokens", "a.bias", "a.positions")
    assert fold.why == "it can"
    assert [pattern.text for pattern in found.unless] == ["{head}.a.norm.**"]
    path.write_text(minimal + FOLD.replace('  unless: ["{head}.a.norm.**"]\n', ""))
    again = load_ruleset(path).fold
    assert again is not None
    assert (again.fold, again.unless) == (fold, ())
    path.write_text(minimal)
    assert load_ruleset(path).fold is None


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("add_to_tokens", "eval", "there is no operation 'eval'"),
        ("operation: add_to_tokens", "operation: 7", "`operation` must hold text"),
        ("a.bias", "a.{i}.bias", "is no word for `from`"),
        ("a.bias", "a..bias", "is no word for `from`"),
        ("a.positions", '"**"', "is no word for `into`"),
        ("a.positions", "a.bias", "a tensor cannot be folded into itself"),
        ('["{head}.a.norm.**"]', "[]", "`unless` must be a list of at least 1"),
        ('["{head}.a.norm.**"]', '["a.**.b"]', ""),
        ("why: it can", "because: it can", "the field `why` is missing"),
        ("why: it can", "why: it can\n  also: 1", "`also` is not a field that belongs here"),
    ],
)
def test_faults(right: str, wrong: str, said: str, minimal: str, refused: Callable[[str], RuleError]) -> None:
    text = minimal + FOLD
    assert text.count(right) == 1
    error = refused(text.replace(right, wrong))
    assert said in error.message
    assert error.line is not None
    assert error.line > len(minimal.splitlines())


def test_one_family_has_one(library: Library) -> None:
    """It folds the bias that the family's setting is about, into what marks the family."""
    (rules,) = (rules for rules in library.families if rules.fold)
    assert rules.family == "vit"
    assert rules.fold is not None
    assert [need.key.text for need in rules.needs] == [rules.fold.fold.source]
    assert rules.fold.fold.into in {pattern.text for pattern in rules.marks.present}
