from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# `layouts` and `support` lie beside the rooms' folders.
sys.path += [str(HERE.parent), str(HERE.parent / "convert")]

from golden_cases import skip_without_stack  # noqa: E402

from mm_ckpt_migrate.ruleset.library import load_rules  # noqa: E402
from mm_ckpt_migrate.ruleset.model import RuleSet  # noqa: E402


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    skip_without_stack(items, HERE)


@pytest.fixture(scope="session")
def families() -> dict[str, RuleSet]:
    return {rules.family: rules for rules in load_rules().families}
