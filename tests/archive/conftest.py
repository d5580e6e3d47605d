from __future__ import annotations

import sys
from pathlib import Path

# `support` lies beside the rooms' folders; a package `tests` may be anybody's.
sys.path.append(str(Path(__file__).parents[1]))
