"""Every test of this folder is watched: whatever it reads, nothing of it is imported or called."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.audit import watching


@pytest.fixture(autouse=True)
def _nothing_is_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with watching(tmp_path_factory.getbasetemp()) as seen:
        yield
    assert seen == []
