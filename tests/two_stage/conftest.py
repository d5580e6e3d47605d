from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.append(str(HERE))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if find_spec("mmdet") is not None:
        return
    for item in items:
        if HERE in item.path.parents and item.get_closest_marker("mm"):
            item.add_marker(pytest.mark.skip(reason="the OpenMMLab stack is not installed"))
