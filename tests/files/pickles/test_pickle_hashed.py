"""E6: numbers that are chosen to have one hash, wherever a dict or a set is made of them."""

from __future__ import annotations

import pickle
from collections import Counter, OrderedDict, defaultdict
from typing import Any

import pytest

from mm_ckpt_migrate.files.pickles.errors import PickleLimitError
from mm_ckpt_migrate.files.pickles.hashed import check_hashes, check_keys_once, check_sets
from mm_ckpt_migrate.files.pickles.parse import parse_all

PRIME = (1 << 61) - 1


def check(value: Any) -> None:
    """Look at every mapping and set of a value that Python pickled."""
    made = parse_all(pickle.dumps(value, protocol=2)).made
    check_sets(made.calls)
    for node in made.keyed:
        check_keys_once(node)


ALIKE: dict[str, list[Any]] = {
    "integers": [number * PRIME for number in range(1, 9)],
    "integers_that_are_long": [3 + number * PRIME**5 for number in range(8)],
    "integers_below_zero": [-5 - number * PRIME for number in range(8)],
    "floats": [2.0 ** (61 * number) for number in range(8)],
    "both": [2.0**61, 1 + PRIME, 2.0**122, 1 + 2 * PRIME, 1, 2.0**183],
    "tuples": [(7, number * PRIME) for number in range(8)],
    "tuples_in_tuples": [("a", (0.5, (number * PRIME,))) for number in range(8)],
}


@pytest.mark.parametrize("case", ALIKE)
@pytest.mark.parametrize("kind", [dict, OrderedDict, Counter, set, frozenset, "defaultdict"])
def test_e06_one_hash(kind: Any, case: str) -> None:
    keys = ALIKE[case]
    if kind in (set, frozenset):
        value = kind(keys)
    else:
        made = dict.fromkeys(keys, 1)
        value = defaultdict(int, made) if kind == "defaultdict" else kind(made)
    with pytest.raises(PickleLimitError, match="one hash"):
        check({"inside": [value]})


def test_e06_what_genuine_files_have() -> None:
    check({number: {} for number in range(-3000, 3000)})
    check({94_207_711_285_248 + 64 * number: {} for number in range(3000)})
    check({(f"conv{number}", number): number / 7 for number in range(3000)})
    check({0.1 * number: {True, None, -1, -2, "a", number} for number in range(1, 3000)})


def test_e06_too_many_for_any_choice_of_them() -> None:
    check_hashes(range(50_000))
    check_hashes(map(str, range(100_000)))
    with pytest.raises(PickleLimitError, match=r"more than 50,000 keys"):
        check_hashes(range(50_001))
