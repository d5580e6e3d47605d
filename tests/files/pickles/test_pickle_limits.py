"""Names and integers that are longer than any that torch writes; what is as long is read."""

from __future__ import annotations

import pytest

from mm_ckpt_migrate.files.pickles.errors import PickleError, PickleLimitError
from mm_ckpt_migrate.files.pickles.nodes import Global, Scalar
from mm_ckpt_migrate.files.pickles.parse import parse


def test_a_name() -> None:
    longest = b"a" * 511
    root = parse(b"\x80\x02c" + longest + b"\nb\n.").root
    assert isinstance(root, Global)
    assert root.module == longest.decode()
    with pytest.raises(PickleError, match="has no end"):
        parse(b"\x80\x02ca" + longest + b"\nb\n.")


def test_an_integer() -> None:
    root = parse(b"\x80\x02\x8b" + (512).to_bytes(4, "little") + b"\1" * 512 + b".").root
    assert isinstance(root, Scalar)
    assert root.value == int.from_bytes(b"\1" * 512, "little")
    with pytest.raises(PickleLimitError, match="longer than any"):
        parse(b"\x80\x02\x8b" + (513).to_bytes(4, "little") + b"\1" * 513 + b".")
