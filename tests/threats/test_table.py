"""The table is whole: each case of the list once, in its order, and each test that it names."""

from __future__ import annotations

import ast
from functools import cache

import pytest
from table import ALL, TESTS, Case, functions, read_table, texts

TABLE = read_table()


@cache
def parsed(path: str) -> ast.Module:
    return ast.parse((TESTS / path).read_text(encoding="utf-8"))


def test_every_case_of_the_list_is_there_once_and_in_order() -> None:
    assert len(ALL) == 194
    assert [case.name for case in TABLE] == ALL


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.name)
def test_a_case_is_proven_or_cannot_occur(case: Case) -> None:
    assert case.words
    assert bool(case.proofs) != bool(case.cannot)
    assert len(set(case.proofs)) == len(case.proofs)


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.name)
def test_the_tests_that_it_names_exist(case: Case) -> None:
    for proof in case.proofs:
        tree = parsed(proof.path)
        assert proof.function in functions(tree), proof
        assert any(text.startswith(proof.begins) for text in texts(tree)), proof


def test_every_test_here_is_in_the_table() -> None:
    """But for those of the table and of the watcher themselves, and the controls."""
    named = {(proof.path, proof.function) for case in TABLE for proof in case.proofs}
    apart = ("test_table.py", "test_audit.py", "test_conventions.py")
    controls = (
        "test_the_toy_is_migrated",
        "test_p11_nothing_is_said_where_nothing_looks_alike",
        "test_z18_torch_swaps_the_bytes_of_what_says_big",
    )
    for path in (TESTS / "threats").glob("test_*.py"):
        here = {name for name in functions(parsed(f"threats/{path.name}")) if name[:5] == "test_"}
        missing = {n for n in here if (f"threats/{path.name}", n) not in named} - {*controls}
        assert path.name in apart or not missing, missing
