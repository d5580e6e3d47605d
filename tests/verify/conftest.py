from __future__ import annotations

import pytest
from golden_cases import CASES
from migrated_files import Migrated

from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.options import EMBEDDED, Options


@pytest.fixture(scope="session", params=["maskformer_r18", "mask2former_r18"])
def migrated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Migrated:
    """One of each family; Mask2Former's has a training's state and an average."""
    case = CASES[request.param]
    new = tmp_path_factory.mktemp("migrated") / "new.pth"
    convert("auto", EMBEDDED, case.old, new, Options())
    return Migrated(case, new)
