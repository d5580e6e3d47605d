"""An old release to test with, where one is at hand."""

from __future__ import annotations

import os
from pathlib import Path

from mm_ckpt_migrate.releases.old.environment import PYTHON_VARIABLE, found

NO_OLD_RELEASE = f"no old release: set {PYTHON_VARIABLE}, or make one with `mm-ckpt-migrate legacy create`"


def old_python() -> Path | None:
    """The interpreter of an old release; None where there is none, and tests are skipped."""
    if python := os.environ.get(PYTHON_VARIABLE):
        return Path(python)
    return next((environment.python for environment in found()), None)
