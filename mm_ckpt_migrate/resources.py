"""Files that travel with the package: rules, and genuine old checkpoints for the demo.

In a wheel they lie inside the package; in a checkout, at its top and under `tests/`.
"""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).parent


def resource_folder(name: str, checkout: str) -> Path | None:
    """The folder `name` in the package, or `checkout` beside the package; None without either."""
    for folder in (_PACKAGE / name, _PACKAGE.parent / checkout):
        if os.path.isdir(folder):  # False as well where the disk fails
            return folder
    return None
