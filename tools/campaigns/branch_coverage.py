"""Which lines and branches of the rooms that handle bytes no test reaches; 1 where there are any.

    python tools/campaigns/branch_coverage.py [--jobs J] [--save FILE.json]

The rooms are listed in `pyproject.toml`, under `tool.coverage`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
TESTS: Final = ("tests/files", "tests/zoo/publication", "tests/batch")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--jobs", default="auto", help="test processes; default: one for each core")
    parser.add_argument("--save", type=Path, help="coverage's own JSON")
    args = parser.parse_args()
    # Traced, what has a deadline takes several times as long.
    command = ["pytest", "-n", args.jobs, "--timeout=900", "-m", "thorough or not thorough"]
    reports = ["--cov", "--cov-report=term-missing:skip-covered", "--cov-fail-under=100"]
    if args.save is not None:
        reports.append(f"--cov-report=json:{args.save.resolve()}")
    return subprocess.run(
        [sys.executable, "-m", *command, *reports, *TESTS], cwd=ROOT, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
