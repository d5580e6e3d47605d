"""What `--json` prints: one document of strict JSON, of results and errors alike."""

from __future__ import annotations

import json
import sys
from typing import Any

from mm_ckpt_migrate.verdicts import strict


def print_json(data: Any) -> None:
    """Print a result."""
    sys.stdout.write(json.dumps(strict(data), indent=2, default=str, allow_nan=False) + "\n")


def print_error(message: str, hint: str, exit_code: int, **more: Any) -> None:
    """Print an error: what is wrong, what to do, and what the program ends with."""
    print_json({**more, "error": message, "hint": hint, "exit_code": int(exit_code)})
