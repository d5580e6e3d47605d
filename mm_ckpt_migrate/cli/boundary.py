"""The one place where errors become text and exit codes."""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn, ParamSpec

import typer

from mm_ckpt_migrate.errors import ExitCode, MigrateError
from mm_ckpt_migrate.keys import safe_text

P = ParamSpec("P")


def command(function: Callable[P, int]) -> Callable[P, None]:
    """A command whose return value is its exit code, and whose errors are one clear sentence.

    With `as_json` among its arguments, errors are JSON on stdout like its results.
    """

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _interrupt)
        try:
            code = function(*args, **kwargs)
        except MigrateError as error:
            _show(error, as_json=bool(kwargs.get("as_json")))
            code = error.exit_code
        except KeyboardInterrupt:
            _say("Interrupted. The source is as it was; no new file was made.")
            code = ExitCode.INTERRUPTED
        except BrokenPipeError:
            # Whoever read our output has gone; Python must not complain about it at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = ExitCode.OK
        except OSError as error:  # most likely, of whatever takes our output
            _say(f"Error: {error}")
            code = ExitCode.INTERNAL
        raise typer.Exit(int(code))

    return run


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _show(error: MigrateError, *, as_json: bool) -> None:
    if as_json:
        text = {"error": error.message, "hint": error.hint, "exit_code": int(error.exit_code)}
        typer.echo(json.dumps(text, indent=2))
        return
    _say(f"Error: {error.message}")
    if error.hint:
        _say(f"  {error.hint}")


def _say(text: str) -> None:
    """File names and what files hold may be in it, and are shown without acting on the terminal."""
    for line in text.split("\n"):
        typer.echo(safe_text(line, 10_000), err=True)
