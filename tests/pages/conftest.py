from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from browser import Browser, found

HERE = Path(__file__).parent
MISSING = [name for name, module in (("Jinja2", "jinja2"), ("Pillow", "PIL")) if not find_spec(module)]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if MISSING:
        skip = pytest.mark.skip(reason=f"{' and '.join(MISSING)} not installed")
        for item in items:
            if item.path.is_relative_to(HERE):
                item.add_marker(skip)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    program = found()
    if program is None:
        pytest.skip("no Chromium on the PATH, nor in MM_CKPT_MIGRATE_CHROMIUM")
    return Browser(program, tmp_path_factory.mktemp("browser"))
