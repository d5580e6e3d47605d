from __future__ import annotations

import pytest

from mm_ckpt_migrate.identify.layouts.table import Table, load_table


@pytest.fixture(scope="session")
def table() -> Table:
    return load_table()
