"""Config files as text and as syntax trees, within limits."""

from __future__ import annotations

import ast
import os
import stat
import warnings
from pathlib import Path

from mm_ckpt_migrate.configs.read.encoding import check_encoding
from mm_ckpt_migrate.configs.static.budget import MAX_BYTES, Budget, UnreadableError


class SourceError(UnreadableError):
    """A config's text cannot be had or parsed; `line` is known for syntax errors only."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.line = line


def read_source(path: Path, budget: Budget) -> str:
    """The text of a config file.

    Raises:
        OverBudgetError: the file is too large, or one base file too many.
        SourceError: it cannot be read, is no regular file, or is not UTF-8.
    """
    try:
        # Not blocking, so that a FIFO is refused below rather than waited for.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise SourceError("not a regular file")
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise SourceError("no such file") from error
    except (OSError, ValueError) as error:
        raise SourceError(f"cannot be read: {error}") from error
    budget.file(len(data))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SourceError("not UTF-8 text") from error


def parse_source(text: str) -> ast.Module:
    """The syntax tree of a `.py` config.

    Raises:
        SourceError: it is not valid Python, or nested deeper than Python parses.
        UnreadableError: it would be another program in a file.
    """
    check_encoding(text)
    try:
        with warnings.catch_warnings():
            # An invalid escape in a string is the config author's affair.
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except SyntaxError as error:
        raise SourceError(f"not valid Python: {error.msg}", error.lineno) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise SourceError("not parsed as Python: odd characters, or nested too deeply") from error
