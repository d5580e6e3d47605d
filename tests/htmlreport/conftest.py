from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
MISSING = [
    name for name, module in (("Jinja2", "jinja2"), ("Pillow", "PIL")) if not find_spec(module)
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if MISSING:
        skip = pytest.mark.skip(reason=f"{' and '.join(MISSING)} not installed")
        for item in items:
            if item.path.is_relative_to(HERE):
                item.add_marker(skip)
