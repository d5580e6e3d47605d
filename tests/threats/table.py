"""The table of threats: each case with what proves it, or why it cannot occur."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mm_ckpt_migrate.mapping.rules.yamltext import YamlText

TESTS = Path(__file__).parents[1]
FILE = Path(__file__).with_name("cases.yaml")
# The groups of the list, with the number of cases in each.
GROUPS = {
    "P": 28,
    "Z": 24,
    "L": 9,
    "S": 10,
    "Y": 13,
    "C": 11,
    "X": 8,
    "M": 20,
    "I": 15,
    "K": 10,
    "B": 14,
    "R": 5,
    "E": 11,
    "V": 10,
    "O": 6,
}
ALL = [f"{group}{number}" for group, count in GROUPS.items() for number in range(1, count + 1)]
_PROOF = re.compile(r"([\w/]+\.py)::(test_\w+)(?:\[(\w+)\])?")


@dataclass(frozen=True, slots=True)
class Proof:
    """A test function.

    Attributes:
        path: below `tests/`.
        begins: how the names of those of its parameters begin that are meant; or nothing.
    """

    path: str
    function: str
    begins: str


@dataclass(frozen=True, slots=True)
class Case:
    """A case of the list, in words of our own; `cannot` where it cannot occur."""

    name: str
    words: str
    proofs: tuple[Proof, ...] = ()
    cannot: str = ""
    note: str = ""


def read_table() -> list[Case]:
    """All cases in the order of the file; a name that stands twice is an error of the reader."""
    return [_case(name, entry) for name, entry in YamlText(FILE, FILE.read_bytes()).data.items()]


def _case(name: str, entry: dict[str, str | list[str]]) -> Case:
    known = {"is": str, "tests": list, "cannot": str, "note": str}
    assert entry.keys() <= known.keys(), name
    assert all(isinstance(value, known[field]) for field, value in entry.items()), name
    proofs = tuple(_proof(text) for text in entry.get("tests", ()))
    words, cannot, note = (str(entry.get(field, "")) for field in ("is", "cannot", "note"))
    return Case(name, words, proofs, cannot, note)


def _proof(text: str) -> Proof:
    found = _PROOF.fullmatch(text)
    assert found, text
    return Proof(found[1], found[2], found[3] or "")


def functions(tree: ast.Module) -> set[str]:
    """The test functions of a file, which is not imported."""
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def texts(tree: ast.Module) -> Iterator[str]:
    """The strings and keywords in a file, among which are the names of its parameters."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
