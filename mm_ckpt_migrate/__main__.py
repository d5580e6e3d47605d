"""`python -m mm_ckpt_migrate`."""

from mm_ckpt_migrate.cli.main import run

run()
