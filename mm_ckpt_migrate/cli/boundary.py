"""The one place where errors become text and exit codes."""

from __future__ import annotations

import functools
import signal
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn, ParamSpec

import typer

from mm_ckpt_migrate.cli.asjson import print_error
from mm_ckpt_migrate.errors import ExitCode, MigrateError
from mm_ckpt_migrate.files.archive.published import watched
from mm_ckpt_migrate.names import safe_text

P = ParamSpec("P")
_FAULT: Final = "This is a fault of the program; what it was doing is on stderr."


def command(function: Callable[P, int]) -> Callable[P, None]:
    """A command whose return value is its exit code, and whose errors are one clear sentence.

    With `as_json` among its arguments, errors are JSON on stdout like its results.
    """

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        as_json = bool(kwargs.get("as_json"))
        for number in (signal.SIGTERM, signal.SIGHUP):
            # What was ignored from the start stays so: that is what `nohup` is for.
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, _interrupt)
        with watched() as published:
            try:
                code = function(*args, **kwargs)
            except MigrateError as error:
                code = show_error(error.message, error.hint, error.exit_code, as_json=as_json)
            except KeyboardInterrupt as stop:  # a command may know more of what is there
                said = str(stop) or _interruption(published.there())
                code = show_error(said, "", ExitCode.INTERRUPTED, as_json=as_json)
            except OSError as error:  # of what takes our output, or a fault that nobody expected
                code = show_error(str(error), "", ExitCode.INTERNAL, as_json=as_json)
            except Exception as error:
                if not as_json or isinstance(error, (typer.Exit, typer.BadParameter)):
                    raise
                traceback.print_exc()
                said = f"{type(error).__name__}: {error}"
                code = show_error(said, _FAULT, ExitCode.INTERNAL, as_json=True)
        raise typer.Exit(int(code))

    return run


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _interruption(made: Iterable[Path]) -> str:
    """What is there, and what is not, when a command was interrupted."""
    names = ", ".join(map(str, made))
    if not names:
        return "Interrupted. The source is as it was; no new file was made."
    return f"Interrupted. The source is as it was; complete, and there, is: {names}."


def show_error(message: str, hint: str, code: int, *, as_json: bool) -> int:
    """Say what is wrong; gives the exit code."""
    if as_json:
        print_error(message, hint, code)
        return code
    _say(message if code == ExitCode.INTERRUPTED else f"Error: {message}")
    if hint:
        _say(f"  {hint}")
    return code


def _say(text: str) -> None:
    """File names and what files hold may be in it, and are shown without acting on the terminal."""
    for line in text.split("\n"):
        typer.echo(safe_text(line, 10_000), err=True)
