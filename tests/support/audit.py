"""One audit hook for the process, with a switch: what the package does that no file may make it do.

An event counts where a frame of the package is on the stack, in whichever thread, so that what a
test does by itself is not mistaken for it. Of what Python does for the package's own import
statements nothing counts either: a file that has something imported gets there by a call.
"""

from __future__ import annotations

import dis
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import mm_ckpt_migrate

PACKAGE = os.path.dirname(mm_ckpt_migrate.__file__) + os.sep
NEVER = frozenset(
    (
        "exec",
        "compile",
        "import",
        "pickle.find_class",
        "code.__new__",
        "os.system",
        "os.exec",
        "os.posix_spawn",
        "os.spawn",
        "os.fork",
        "os.forkpty",
        "subprocess.Popen",
        "os.startfile",
        "webbrowser.open",
        "urllib.Request",
        "os.putenv",
        "pty.spawn",
        "cpython.run_file",
    )
)
NEVER_BELOW = ("socket.", "ctypes.", "marshal.", "shutil.", "tempfile.", "sqlite3.")
# Only where the path, their first argument, lies outside the tests' folder.
NOT_ELSEWHERE = frozenset(
    (
        "os.remove",
        "os.rename",
        "os.link",
        "os.symlink",
        "os.mkdir",
        "os.rmdir",
        "os.truncate",
        "os.chmod",
        "os.chown",
        "os.utime",
        "os.setxattr",
    )
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_IMPORT_NAME = dis.opmap["IMPORT_NAME"]
# Codecs, and the widths of letters on a terminal, are imported by a call where one is needed.
_TABLES = ("encodings/__init__.py", "rich/_unicode_data/__init__.py")
# `ast.parse` compiles to a tree; `typing` evaluates the annotations of our own functions.
_EVALUATORS = ("ast.py", "typing.py", "annotationlib.py")

_seen: list[str] | None = None
_allowed = ""
_installed = False


@contextmanager
def watching(folder: Path) -> Iterator[list[str]]:
    """The list of what the package does meanwhile and must not; writing below `folder` it may."""
    global _seen, _allowed, _installed  # noqa: PLW0603 - a hook can never be taken out again
    if not _installed:
        sys.addaudithook(_hook)
        _installed = True
    before = _seen, _allowed
    seen: list[str] = []
    _seen, _allowed = seen, f"{folder}{os.sep}"
    try:
        yield seen
    finally:
        _seen, _allowed = before


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if _seen is None or not _is_watched(event, args):
        return
    frames = list(_frames())
    if any(f.f_code.co_filename.startswith(PACKAGE) for f in frames) and not _is_ours(event, frames):
        _seen.append(f"{event} {args!r:.200}")


def _is_watched(event: str, args: tuple[Any, ...]) -> bool:
    if event == "open":
        return bool(args[2] & _WRITING) and _is_elsewhere(args[0])
    if event == "os.kill":
        return args[1] != 0  # which asks whether there is such a process
    if event in NOT_ELSEWHERE:
        return _is_elsewhere(args[0])
    return event in NEVER or (event.startswith(NEVER_BELOW) and event != "socket.gethostname")


def _is_elsewhere(path: object) -> bool:
    if isinstance(path, int) or path is None:  # open already, by an event of its own
        return False
    place = os.path.abspath(os.fsdecode(path))  # type: ignore[arg-type]
    return not f"{place}{os.sep}".startswith((_allowed, os.devnull, "/proc/self/fd/"))


def _frames() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        yield frame
        frame = frame.f_back


def _is_ours(event: str, frames: list[FrameType]) -> bool:
    outside = next(i for i, frame in enumerate(frames) if not _is_importlib(frame))
    caller = frames[outside]
    if outside or event == "import":
        return _is_import_statement(caller) or any(map(_is_table, frames[outside : outside + 3]))
    # What a module does while it is imported was judged when its own import began.
    return any(map(_is_importlib, frames)) or caller.f_code.co_filename.endswith(_EVALUATORS)


def _is_importlib(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith("<frozen importlib")


def _is_import_statement(frame: FrameType) -> bool:
    code = frame.f_code
    return code.co_code[frame.f_lasti] == _IMPORT_NAME and os.path.isfile(code.co_filename)


def _is_table(frame: FrameType) -> bool:
    return frame.f_code.co_filename.endswith(_TABLES)
