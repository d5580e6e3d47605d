"""The program in this process, where the audit hook can see it."""

from __future__ import annotations

import contextlib
import functools
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer

import mm_ckpt_migrate.convert.run as migration
from mm_ckpt_migrate.cli.main import app

# Built once, and the rules read once: hundreds of files are converted here.
_COMMAND = typer.main.get_command(app)
_LOAD_RULES = functools.lru_cache(migration.load_rules)


@dataclass(frozen=True, slots=True)
class Done:
    """What a command gave."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def run(*arguments: str | Path) -> Done:
    """`mm-ckpt-migrate ARGUMENTS`; an error that nobody expected is raised."""
    out, err = io.StringIO(), io.StringIO()
    with _quick_rules(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            _COMMAND.main(list(map(str, arguments)), prog_name="mm-ckpt-migrate")
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
    return Done(code, out.getvalue(), err.getvalue())


def convert(old: Path, *options: str | Path, cfg: str = "-") -> Done:
    """`convert auto CFG old.pth new.pth --no-build`, with the new file beside the old one."""
    return run("convert", "auto", cfg, old, old.with_name("new.pth"), "--no-build", *options)


@contextlib.contextmanager
def _quick_rules() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migration, "load_rules", _LOAD_RULES)
        yield
