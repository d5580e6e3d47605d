"""What a dict or a set finds its entries by: each must be there once, and be found quickly.

CPython hashes strings with a secret, and numbers without: whoever chooses numbers of one hash
makes a dict of n entries take n² steps. It may be ours, or that of whoever loads the new file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from mm_ckpt_migrate.files.pickles.build import elements, is_mapping, pairs
from mm_ckpt_migrate.files.pickles.errors import PickleError, PickleLimitError
from mm_ckpt_migrate.files.pickles.nodes import Call, Global, List, Mutable, Node, Scalar, Text, Tuple
from mm_ckpt_migrate.names import safe_text

# Genuine keys that are no strings are an optimizer's parameters: some 3,000 at most. Where no two
# hashes are equal, numbers can still be chosen that fall upon each other's places in the table;
# with this many of them that takes a third of a second.
MAX_OTHER_KEYS: Final = 50_000
# In CPython -1 and -2 have one hash; no genuine dict has three such keys.
_MAX_ALIKE: Final = 4
_SETS: Final = ("__builtin__.set", "builtins.set", "__builtin__.frozenset", "builtins.frozenset")


def check_sets(calls: Iterable[Call]) -> None:
    """Look at the elements of whatever is a set; raises as `check_keys_once` does."""
    for call in calls:
        if isinstance(call.callee, Global) and call.callee.path in _SETS:
            held = elements(call.args)
            check_hashes([hashed_as(item) for made in held for item in elements(made)])


def check_keys_once(node: Mutable) -> None:
    """Look at the keys of whatever has keys.

    Whoever loads a dict with a key twice sees the last one alone. An object that is not looked
    into, such as a str that a call makes, may be equal to any plain key.

    Raises:
        PickleError: a key stands, or may stand, twice, or can be no key.
        PickleLimitError: numbers are chosen so that a dict of them takes long to make.
    """
    entries = pairs(node)
    if len(entries) == 1 and type(entries[0][0]) in (Text, Scalar):
        return
    keys: list[object] = [key.value for key, _ in entries if isinstance(key, Text)]
    if len(keys) < len(entries):
        keys = [hashed_as(key) for key, _ in entries]
        check_hashes(keys)
    if len(set(keys)) < len(keys):
        twice = next(key for key, count in Counter(keys).items() if count > 1)
        shown = "(...)" if isinstance(twice, tuple) else safe_text(str(twice))
        raise PickleError(0, f"the key {shown!r} stands in one dict twice")
    made = sum(isinstance(key, Call) for key in keys)
    if 0 < made < len(keys):
        raise PickleError(0, "a dict has plain keys and objects that may be equal to them")


def check_hashes(values: Iterable[object]) -> None:
    """Raises PickleLimitError where numbers among the values have one hash, or are too many."""
    hashes = sorted(hash(value) for value in values if not isinstance(value, str))
    if len(hashes) > MAX_OTHER_KEYS:
        raise PickleLimitError(0, f"a dict has more than {MAX_OTHER_KEYS:,} keys but strings")
    if any(one == other for one, other in zip(hashes, hashes[_MAX_ALIKE:], strict=False)):
        raise PickleLimitError(0, "a dict has keys that are chosen to have one hash")


def hashed_as(key: Node) -> object:
    """The value that a key is found by; an object that is not looked into stands for itself.

    Raises:
        PickleError: it is a dict or a list, which can be no key.
    """
    if isinstance(key, (Text, Scalar)):
        return key.value
    if isinstance(key, Tuple):
        return tuple(map(hashed_as, key.items))
    if isinstance(key, List) or is_mapping(key):
        raise PickleError(0, "a dict has a dict or a list as a key")
    return key
