"""Run tests on a copy of the checkout that has a fault in it.

The test runner and torch are imported once; each run is a fork, which imports the package anew.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import coverage
import pytest
from mutants import Mutant

KILLED: Final = "killed: a test failed"
BROKEN: Final = "killed: the package could not be imported"
STUCK: Final = "killed: the tests took too long"
SURVIVED: Final = "survived"
FOUND: Final = (KILLED, BROKEN, STUCK)
# Tests that reach a fault are run up to this many seconds of their usual time; the first of them
# alone, as most faults are found there, and collecting the others takes longer than they do.
_BUDGET: Final = 160.0
_FIRST: Final = 8.0
_TOO_LONG: Final = 71
_COPIED: Final = ("mm_ckpt_migrate", "rules", "tests", "tools", "pyproject.toml", "SECURITY.md")
_OPTIONS: Final = ("-o", "addopts=", "-q", "-p", "no:cacheprovider", "-p", "no:xdist")


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the tests do where nothing is wrong.

    Attributes:
        seconds: how long each test takes, setup included; tests that failed are left out.
        reached: by module, by line: the tests that ran it.
    """

    seconds: dict[str, float]
    reached: dict[str, dict[int, list[str]]]

    def tests_for(self, mutant: Mutant) -> tuple[list[str], list[str]]:
        """The tests to run, and those to run where none of them fails.

        First come those with the module's name in theirs, then the quickest.
        """
        lines = self.reached.get(str(mutant.module), {})
        users = lines.get(mutant.line) or {test for tests in lines.values() for test in tests}
        # What an import runs concerns whoever looks at it, which no lines tell.
        tests = users if mutant.place and users else self.seconds

        def order(test: str) -> tuple[bool, float]:
            return mutant.module.stem not in test.partition("::")[0], self.seconds[test]

        first: list[str] = []
        then: list[str] = []
        spent = 0.0
        for test in sorted(set(tests) & set(self.seconds), key=order):
            spent += self.seconds[test]
            if first and spent > _BUDGET:
                break
            (first if not first or spent < _FIRST else then).append(test)
        return first, then


class _Watch:
    """A plugin of pytest: when each test runs, and whether it passes."""

    def __init__(self, measured: coverage.Coverage) -> None:
        self.measured = measured
        self.seconds: dict[str, float] = defaultdict(float)
        self.failed: set[str] = set()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.measured.switch_context(item.nodeid)
        result = yield
        self.measured.switch_context("")
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] += report.duration
        if not report.passed:
            self.failed.add(report.nodeid)


class _Choose:
    """A plugin of pytest: these tests alone, in this order."""

    def __init__(self, tests: Sequence[str]) -> None:
        self.order = {test: number for number, test in enumerate(tests)}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self.order), key=lambda item: self.order[item.nodeid]
        )


class Workshop:
    """Copies of the checkout, one for each run that goes on at a time."""

    def __init__(self, root: Path, folder: Path, tests: Sequence[str], jobs: int) -> None:
        self._root = root
        self._tests = tests
        self._copies = [folder / str(number) for number in range(jobs)]
        for copy in self._copies:
            copy.mkdir()
            for name in _COPIED:
                if (root / name).is_dir():
                    ignored = shutil.ignore_patterns("__pycache__")
                    shutil.copytree(root / name, copy / name, ignore=ignored)
                else:
                    shutil.copy(root / name, copy / name)
        with contextlib.suppress(ImportError):
            import torch  # noqa: F401 - so that no run has to

    def baseline(self) -> Baseline:
        """Run every test once."""
        copy = self._copies[0]
        written = copy / "baseline.json"
        pid = _fork(copy, lambda: _measure(copy, self._tests, written))
        os.waitpid(pid, 0)
        facts: dict[str, Any] = json.loads(written.read_text(encoding="utf-8"))
        reached = {
            module: {int(line): tests for line, tests in lines.items()}
            for module, lines in facts["reached"].items()
        }
        return Baseline(facts["seconds"], reached)

    def results(
        self, mutants: Sequence[Mutant], baseline: Baseline, limit: float
    ) -> Iterator[tuple[Mutant, str]]:
        """What became of each, as they end; none is begun after so many seconds."""
        end = time.monotonic() + limit
        waiting, free = list(mutants)[::-1], list(self._copies)
        running: dict[int, tuple[Mutant, Path]] = {}
        while running or (waiting and time.monotonic() < end):
            while waiting and free and time.monotonic() < end:
                mutant, copy = waiting.pop(), free.pop()
                running[self._start(mutant, copy, baseline)] = mutant, copy
            time.sleep(0.02)
            for pid, (mutant, copy) in list(running.items()):
                outcome = _ended(pid)
                if outcome:
                    del running[pid]
                    free.append(copy)
                    shutil.copy(self._root / mutant.module, copy / mutant.module)
                    yield mutant, outcome

    def _start(self, mutant: Mutant, copy: Path, baseline: Baseline) -> int:
        first, then = baseline.tests_for(mutant)
        (copy / mutant.module).write_bytes(mutant.source)
        seconds = [sum(baseline.seconds[test] for test in some) for some in (first, then)]
        return _fork(copy, lambda: _try(copy, list(zip((first, then), seconds, strict=True))))


def _ended(pid: int) -> str | None:
    done, status = os.waitpid(pid, os.WNOHANG)
    if not done:
        return None
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)  # what the tests left running
    code = os.waitstatus_to_exitcode(status)
    if code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        return SURVIVED
    if code == _TOO_LONG:
        return STUCK
    return KILLED if code == pytest.ExitCode.TESTS_FAILED or code < 0 else BROKEN


def _fork(copy: Path, work: Callable[[], int]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        os.setpgid(0, 0)
        os.chdir(copy)
        os.environ |= {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
        sys.dont_write_bytecode = True
        sys.path.insert(0, str(copy))
        silent = os.open(copy / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        code = work()
    finally:
        os._exit(code)


def _try(copy: Path, tests: Sequence[tuple[Sequence[str], float]]) -> int:
    """The exit code of pytest for the first of them that fail, or of the last.

    Args:
        tests: tests, and how many seconds they usually take.
    """
    code = int(pytest.ExitCode.NO_TESTS_COLLECTED)
    for some, usual in tests:
        if not some:
            continue
        pid = os.fork()  # pytest runs well only once in a process
        if not pid:
            os._exit(_pytest(copy, some))
        code = _code(pid, 60 + 4 * usual)
        if code != pytest.ExitCode.OK:
            break
    return code


def _code(pid: int, limit: float) -> int:
    end = time.monotonic() + limit
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else int(pytest.ExitCode.TESTS_FAILED)
        time.sleep(0.02)
    return _TOO_LONG


def _pytest(copy: Path, tests: Sequence[str]) -> int:
    files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
    options = [*_OPTIONS, "-x", f"--basetemp={copy / 'temporary'}", f"--rootdir={copy}"]
    return int(pytest.main([*options, *files], plugins=[_Choose(tests)]))


def _measure(copy: Path, tests: Sequence[str], written: Path) -> int:
    measured = coverage.Coverage(data_file=None, config_file=False, include=[f"{copy}/mm_ckpt_migrate/*"])
    measured.start()
    watch = _Watch(measured)
    options = [*_OPTIONS, f"--basetemp={copy / 'temporary'}", f"--rootdir={copy}"]
    code = int(pytest.main([*options, "-m", "not thorough", *tests], plugins=[watch]))
    measured.stop()
    data, reached = measured.get_data(), {}
    for name in data.measured_files():
        lines = data.contexts_by_lineno(name)
        reached[str(Path(name).relative_to(copy))] = {
            line: [test for test in contexts if test] for line, contexts in lines.items()
        }
    seconds = {test: took for test, took in watch.seconds.items() if test not in watch.failed}
    written.write_text(json.dumps({"seconds": seconds, "reached": reached}), encoding="utf-8")
    return code
