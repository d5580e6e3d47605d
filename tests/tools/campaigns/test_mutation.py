"""A short slice of the mutation campaign: a small package, a test of half of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from mutants import mutants
from mutation import equivalent, every_mutant

CAMPAIGNS = Path(__file__).parents[3] / "tools" / "campaigns"
MODULE = '''"""Text."""


def is_small(size: int) -> bool:
    return size < 10


def rest(size: int, *, unit: int = 4) -> int:
    if not size:
        raise ValueError("no size", unit)
    return -size % unit


def unused() -> bool:
    return True


def words(texts: list[str]) -> list[str]:
    return sorted([text for text in texts if text == "a b" or text], key=len)
'''
TEST = """
from mm_ckpt_migrate.files.archive.small import is_small, rest

def test_is_small():
    assert is_small(9)
    assert not is_small(10)

def test_rest():
    assert rest(5) == 3

def test_that_fails_anyhow():
    assert not rest(5)
"""
# As the campaign itself does, with other rooms and tests.
PROGRAM = """
import sys, mutation
from pathlib import Path
mutation.ROOT = Path(sys.argv.pop(1))
mutation.TESTS = ("tests",)
sys.exit(mutation.main())
"""


def checkout(folder: Path) -> Path:
    """A package and its tests, where the campaign looks for them."""
    for name, text in {
        "mm_ckpt_migrate/__init__.py": "",
        "mm_ckpt_migrate/files/__init__.py": "",
        "mm_ckpt_migrate/files/archive/__init__.py": "",
        "mm_ckpt_migrate/files/archive/small.py": MODULE,
        "tests/test_small.py": TEST,
        "pyproject.toml": "",
        "rules/one.yaml": "",
        "tools/golden/nothing.py": "",
        "SECURITY.md": "",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_what_is_changed(tmp_path: Path) -> None:
    found = mutants(checkout(tmp_path), Path("mm_ckpt_migrate/files/archive/small.py"))
    changes = {(one.place, one.old, one.new) for one in found}
    assert changes == {
        ("is_small", "return size < 10", "return None"),
        ("is_small", "size < 10", "size <= 10"),
        ("is_small", "10", "11"),
        ("is_small", "10", "9"),
        ("rest", "4", "5"),
        ("rest", "4", "3"),
        ("rest", "not size", "size"),
        ("rest", 'raise ValueError("no size", unit)', "pass"),
        ("rest", "return -size % unit", "return None"),
        ("rest", "-size % unit", "-size // unit"),
        ("rest", "-size", "size"),
        ("unused", "return True", "return None"),
        ("unused", "True", "False"),
        ("words", 'return sorted([text for text in texts if text == "a b" or text], key=len)', "return None"),
        (
            "words",
            'sorted([text for text in texts if text == "a b" or text], key=len)',
            "sorted([text for text in texts if text == 'a b' or text])",
        ),
        (
            "words",
            'sorted([text for text in texts if text == "a b" or text], key=len)',
            "[text for text in texts if text == 'a b' or text]",
        ),
        ("words", 'text == "a b" or text', "text == 'a b' and text"),
        ("words", 'text == "a b" or text', "text"),
        ("words", 'text == "a b" or text', "text == 'a b'"),
        ("words", 'text == "a b"', "text != 'a b'"),
    }
    for one in found:
        compile(one.source, "small.py", "exec")


def test_each_equivalent_one_is_still_there() -> None:
    assert equivalent() <= {mutant.name for mutant in every_mutant()}


def run(folder: Path, *options: str) -> tuple[int, dict[str, int], list[str]]:
    facts = folder / "facts.json"
    command = [sys.executable, "-c", PROGRAM, str(checkout(folder)), *options]
    done = subprocess.run(
        [*command, "--jobs", "2", "--save", str(facts)],
        cwd=CAMPAIGNS,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert facts.exists(), done.stderr
    found = json.loads(facts.read_text())
    return done.returncode, found["counts"], found["wrong"]


@pytest.mark.thorough
def test_faults_that_tests_find(tmp_path: Path) -> None:
    status, counts, wrong = run(tmp_path, "--only", "is_small")
    assert (status, wrong) == (0, [])
    assert counts["killed: a test failed"] == 4
    assert counts["score in hundredths of a percent"] == 10_000


@pytest.mark.thorough
def test_faults_that_no_test_finds_are_accused(tmp_path: Path) -> None:
    status, counts, wrong = run(tmp_path, "--only", "unused")
    assert status == 1
    assert counts["survived"] == 2
    assert counts["score in hundredths of a percent"] == 0
    assert len(wrong) == 2
    assert all("small.py: unused: " in line for line in wrong)


@pytest.mark.thorough
def test_those_that_survived_are_tried_again(tmp_path: Path) -> None:
    output = tmp_path / "output.txt"
    name = "mm_ckpt_migrate/files/archive/small.py: is_small: 10 -> 9"
    output.write_text(f"survived: line 5 of {name}\nthe rest\n")
    status, counts, wrong = run(tmp_path, "--again", str(output))
    assert (status, wrong) == (0, [])
    assert counts["killed: a test failed"] == 1
    assert counts["score in hundredths of a percent"] == 10_000
