from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# `support` lies beside the rooms' folders.
sys.path += [str(HERE.parent), str(HERE.parent / "convert")]

from golden_cases import skip_without_stack  # noqa: E402

from mm_ckpt_migrate.ruleset.library import load_rules  # noqa: E402
from mm_ckpt_migrate.ruleset.model import RuleSet  # noqa: E402


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    skip_without_stack(items, HERE)


@pytest.fixture(scope="session")
def families() -> dict[str, RuleSet]:
    return {rules.family: rules for rules in load_rules().families}


@pytest.fixture(autouse=True, scope="session")
def schema_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One cache for the session, so that each model is built once."""
    folder = tmp_path_factory.getbasetemp() / "schemas"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MM_CKPT_MIGRATE_CACHE", str(folder))
        yield folder
