"""A small batch to cut the power of, in the same form as one conversion (`crash_cases.Place`)."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NoReturn

from crash_cases import GOLDEN
from crash_tracer import untraced

_OLD, _NEW, _STATE = "zoo", "new", ".mm-ckpt-migrate"
# Two to migrate, in folders that the results do not have yet, and one to copy.
_ZOO: Final = {"rpn_r18": "rpn/r18/old.pth", "yolact_r18": "old.pth", "vit_upernet": "vit/old.pth"}
_KEPT: Final = {"lock", "journal.sqlite"}


class BatchPlace:
    """A folder in which a batch is run again and again."""

    name = "a batch"

    def __init__(self, folder: Path, expected: Mapping[str, str] | None = None) -> None:
        """Make it, and run the batch undisturbed where it is not known yet what it makes."""
        self.folder = folder
        for source, place in _ZOO.items():
            (genuine,) = (GOLDEN / source).glob("*.pth")
            (folder / _OLD / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(genuine, folder / _OLD / place)
        self._sources = _digests(folder / _OLD)
        self.expected = self._made() if expected is None else expected

    def _made(self) -> dict[str, str]:
        run = untraced(self.program)
        assert run.status == 0, run.err
        return _digests(self.folder / _NEW)

    def reset(self, state: Mapping[str, bytes] | None = None) -> None:
        """The state before the batch, or another one."""
        shutil.rmtree(self.folder / _NEW, ignore_errors=True)
        for name, content in sorted((state or {}).items()):
            path = self.folder / name
            if name.endswith("/"):
                path.mkdir(exist_ok=True)
            elif not path.is_relative_to(self.folder / _OLD):
                path.write_bytes(content)

    def remove(self) -> None:
        shutil.rmtree(self.folder)

    def program(self) -> NoReturn:
        """The batch, in a process made for it."""
        os.chdir(self.folder)
        sys.argv = ["mm-ckpt-migrate", "batch", _OLD, _NEW, "--no-build", "--jobs", "1"]
        from mm_ckpt_migrate.cli.main import run

        run()
        raise AssertionError("it came back")

    def states(self) -> dict[str, str]:
        """Of each result and report: absent, new, or broken."""
        found = _digests(self.folder / _NEW)
        return {
            name: "absent" if name not in found else "new" if found[name] == digest else "broken"
            for name, digest in self.expected.items()
        }

    def faults(self, states: Mapping[str, str]) -> list[str]:
        """What is wrong where each result should be absent or new."""
        wrong = [f"{name} is broken" for name, state in states.items() if state == "broken"]
        if _digests(self.folder / _OLD) != self._sources:
            wrong.append("a source was changed")
        return wrong

    def strays(self) -> list[str]:
        """Beside the results; what the batch keeps in its own folder is no stray."""
        return sorted(_digests(self.folder / _NEW).keys() - self.expected.keys())

    def faults_of_next_start(self) -> list[str]:
        """Start again, undisturbed, and say what is wrong afterwards."""
        run = untraced(self.program)
        states = self.states()
        wrong = [] if run.status == 0 else [f"the next start ended with {run.status}: {run.err}"]
        wrong += [f"{name} is {state} then" for name, state in states.items() if state != "new"]
        kept = set(os.listdir(self.folder / _NEW / _STATE)) - _KEPT
        return wrong + [f"{name} stays for ever" for name in sorted([*self.strays(), *kept])]


def _digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder but those of the batch's own."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and _STATE not in path.parts
    }
