"""`Copies`: edits of a copy leave the original as it was, and a copy is its original's equal."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
from support.files import golden_files, golden_id

from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.files.checkpoint.tensors import is_tensor
from mm_ckpt_migrate.files.pickles.build import find, from_plain, set_values
from mm_ckpt_migrate.files.pickles.copies import Copies
from mm_ckpt_migrate.files.pickles.emit import emit
from mm_ckpt_migrate.files.pickles.nodes import Mutable, Node
from mm_ckpt_migrate.files.pickles.parse import parse_whole


def nothing(node: Node) -> bool:
    return False


def circle() -> list[Any]:
    made: list[Any] = [1]
    made.append(made)
    return made


SHARED: list[Any] = [1, "a"]
VALUES = [
    {"a": SHARED, "b": (SHARED, {"c": SHARED})},
    OrderedDict(a=OrderedDict(b=SHARED), c=SHARED),
    circle(),
    (pickle.PickleError, {(1, 2): [2.5, None]}),
]


@pytest.mark.parametrize("value", VALUES, ids=["shared", "ordered", "circle", "tuple"])
def test_a_copy_gives_the_same_stream(value: Any) -> None:
    root = parse_whole(pickle.dumps(value, protocol=2))
    assert emit(Copies(root, nothing).root) == emit(root)


@pytest.mark.parametrize("sealed", [nothing, is_tensor])
@pytest.mark.parametrize("path", golden_files("zip"), ids=golden_id)
def test_so_does_that_of_a_checkpoint(path: Path, sealed: Any) -> None:
    with Source(path) as source:
        tree = open_checkpoint(source).tree
        assert tree is not None
        copies = Copies(tree.root, sealed)
        assert emit(copies.root) == emit(tree.root)
        assert copies.of(tree.state_dict) is not tree.state_dict


def test_an_edit_is_seen_wherever_the_object_is_shared_and_not_in_the_original() -> None:
    shared = {"x": 1}
    root = parse_whole(pickle.dumps({"a": shared, "b": [shared]}, protocol=2))
    before, copies = emit(root), Copies(root, nothing)
    original = find(root, "a")
    assert isinstance(original, Mutable)
    set_values(copies.of(original), {"x": from_plain(2)})
    assert emit(root) == before
    assert pickle.loads(emit(copies.root)) == {"a": {"x": 2}, "b": [{"x": 2}]}
