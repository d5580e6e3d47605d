"""Conversions to be struck: what they are given, and what must be there afterwards."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from crash_tracer import untraced

from mm_ckpt_migrate.errors import ExitCode

GOLDEN: Final = Path(__file__).parents[2] / "tests" / "golden"
OLD: Final = "old.pth"
NEW: Final = "new.pth"
# By force, a plan and a config are replaced by one of their kind alone.
BEFORE: Final = {
    NEW: b"what was there before",
    "config.py": b"model = 'what was there before'\n",
    "plan.json": b'{"plan": 1, "family": "what was there before", "from": "", "to": "", '
    b'"rules_sha256": "", "rules": [], "keys": [], "modules": []}',
}
# What a run that is killed may leave behind for the next one to sweep away.
TEMPORARY: Final = re.compile(r"\.mm-ckpt-migrate-[0-9a-f-]+\.tmp")


@dataclass(frozen=True, slots=True)
class Case:
    """One conversion.

    Attributes:
        source: the genuine checkpoint, by its folder's name.
        config: the target config.
        more: options and their file names, beside OLD and NEW.
        over: whether files are there already, to be replaced by force.
        named: whether the file system has no O_TMPFILE.
        beside: whether the digest is computed by a process of its own, as that of a large file.
    """

    name: str
    source: str = "rpn_r18"
    config: str = "-"
    more: tuple[str, ...] = ()
    over: bool = False
    named: bool = False
    beside: bool = False

    @property
    def outputs(self) -> tuple[str, ...]:
        return (NEW, *(word for word in self.more if "." in word))

    @property
    def usual(self) -> bool:
        """Whether it can be asked for on the command line."""
        return not self.named and not self.beside

    @property
    def arguments(self) -> tuple[str, ...]:
        force = ("--force",) if self.over else ()
        return ("convert", "auto", self.config, OLD, NEW, "--no-build", *force, *self.more)


_FILES: Final = ("--config-out", "config.py", "--plan", "plan.json")
CASES: Final = (
    Case("a new file"),
    Case("over a file", over=True),
    Case("a new file, without O_TMPFILE", named=True),
    Case("over a file, without O_TMPFILE", over=True, named=True),
    Case("with config and plan", "maskformer_panoptic_r18", "embedded", _FILES),
    Case("with config and plan, over files", "maskformer_panoptic_r18", "embedded", _FILES, True),
    Case("to safetensors", more=("--format", "safetensors")),
    Case("with a digest process", over=True, beside=True),
)


class Place:
    """A folder in which a case is run again and again."""

    def __init__(self, case: Case, folder: Path, expected: Mapping[str, str] | None = None) -> None:
        """Make it, and run the case undisturbed where it is not known yet what it makes.

        Raises:
            AssertionError: it fails, or makes something else the second time.
        """
        self.case = case
        self.folder = folder
        folder.mkdir()
        (source,) = (GOLDEN / case.source).glob("*.pth")
        shutil.copy(source, folder / OLD)
        self._source = _digest(folder / OLD)
        self.expected = self._made() if expected is None else expected
        assert expected or self._made() == self.expected, f"{case.name} varies from run to run"

    @property
    def name(self) -> str:
        return self.case.name

    def _made(self) -> dict[str, str]:
        self.reset()
        run = untraced(self.program)
        assert run.status == 0, run.err
        return {name: _digest(self.folder / name) for name in self.case.outputs}

    def reset(self, state: Mapping[str, bytes] | None = None) -> None:
        """The state before the conversion, or another one."""
        if state is None:
            state = {name: BEFORE[name] for name in self.case.outputs if self.case.over}
        for path in self.folder.iterdir():
            if path.name != OLD:
                path.unlink()
        for name, content in state.items():
            (self.folder / name).write_bytes(content)

    def remove(self) -> None:
        shutil.rmtree(self.folder)

    def program(self) -> NoReturn:
        """The conversion, in a process made for it."""
        os.chdir(self.folder)
        _prepare(self.case)
        sys.argv = ["mm-ckpt-migrate", *self.case.arguments]
        from mm_ckpt_migrate.cli.main import run

        run()
        raise AssertionError("it came back")

    def start(self) -> subprocess.Popen[bytes]:
        """The same as users start it."""
        assert self.case.usual
        return subprocess.Popen(
            [sys.executable, "-m", "mm_ckpt_migrate", *self.case.arguments],
            cwd=self.folder,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def states(self) -> dict[str, str]:
        """Of each output: absent, before, new, or broken."""
        return {name: self._state(name) for name in self.case.outputs}

    def _state(self, name: str) -> str:
        path = self.folder / name
        if not os.path.lexists(path):
            return "absent"
        if path.read_bytes() == BEFORE[name]:
            return "before"
        return "new" if _digest(path) == self.expected[name] else "broken"

    def faults(self, states: Mapping[str, str]) -> list[str]:
        """What is wrong where each output should be as it was, or new; and NEW the last one."""
        before = "before" if self.case.over else "absent"
        wrong = [f"{n} is {state}" for n, state in states.items() if state not in (before, "new")]
        if states[NEW] == "new" and set(states.values()) != {"new"}:
            wrong.append(f"{NEW} is there without what belongs to it: {dict(states)}")
        if _digest(self.folder / OLD) != self._source:
            wrong.append("the source was changed")
        return wrong

    def strays(self) -> list[str]:
        return sorted(set(os.listdir(self.folder)) - {OLD, *self.case.outputs})

    def faults_of_next_start(self) -> list[str]:
        """Start again, undisturbed, and say what is wrong afterwards."""
        states = self.states()
        taken = not self.case.over and "new" in states.values()
        run = untraced(self.program)
        wanted = ExitCode.BAD_DESTINATION if taken else ExitCode.OK
        wrong = [] if run.status == wanted else [f"the next start ended with {run.status}"]
        after = states if taken else dict.fromkeys(states, "new")
        if self.states() != after:
            wrong.append(f"after the next start: {self.states()}")
        return wrong + [f"{name} stays for ever" for name in self.strays()]


def warm(case: Case, folder: Path) -> Place:
    """Import here what the case imports, so that its calls are those of its work alone."""
    place = Place(case, folder)
    place.reset()

    def program() -> NoReturn:
        leave = os._exit

        def tell(status: int) -> NoReturn:
            os.write(2, "\n".join(sys.modules).encode())
            leave(status)

        os._exit = tell
        place.program()

    for name in untraced(program).err.split("\n"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    return place


def _prepare(case: Case) -> None:
    """In the child: what the command line has no option for."""
    if case.named:
        os.open = _without_tmpfile  # type: ignore[assignment]
    if case.beside:
        from mm_ckpt_migrate.files.archive import source

        source._WORTH_A_PROCESS = 0  # type: ignore[misc]


_open: Final = os.open


def _without_tmpfile(path: str, flags: int, mode: int = 0o777, **kwargs: int) -> int:
    if flags & os.O_TMPFILE == os.O_TMPFILE:
        raise OSError(95, "Operation not supported")
    return _open(path, flags, mode, **kwargs)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
