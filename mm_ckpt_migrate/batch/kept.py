"""Child only: this program, which ends with its parent: `-m mm_ckpt_migrate.batch.kept PID ...`."""

from __future__ import annotations

import runpy
import sys

from mm_ckpt_migrate.releases.probe.sandbox import die_with_parent

if __name__ == "__main__":
    die_with_parent(int(sys.argv.pop(1)))
    runpy.run_module("mm_ckpt_migrate", run_name="__main__", alter_sys=True)
