from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path += [str(HERE.parent), str(HERE.parent / "convert")]

from golden_cases import CASES  # noqa: E402
from migrated_files import Migrated  # noqa: E402

from mm_ckpt_migrate.convert import convert  # noqa: E402
from mm_ckpt_migrate.options import EMBEDDED, Options  # noqa: E402


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if find_spec("mmseg") is not None:
        return
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="the OpenMMLab stack is not installed"))


@pytest.fixture(autouse=True, scope="session")
def schema_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MM_CKPT_MIGRATE_CACHE", str(tmp_path_factory.getbasetemp() / "schemas"))
        yield


@pytest.fixture(scope="session", params=["maskformer_r18", "mask2former_r18"])
def migrated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Migrated:
    """One of each family; Mask2Former's has a training's state and an average."""
    case = CASES[request.param]
    new = tmp_path_factory.mktemp("migrated") / "new.pth"
    convert("auto", EMBEDDED, case.old, new, Options())
    return Migrated(case, new)
