"""The checksum is zip's, with the fast library and without it."""

from __future__ import annotations

import importlib
import sys
import zlib

import pytest

from mm_ckpt_migrate.files.archive import crc


def test_it_is_that_of_zip() -> None:
    for size in (0, 1, 3, 64, 100_001):
        data = bytes(range(256)) * (size // 256 + 1)
        assert crc.crc32(data[:size]) == zlib.crc32(data[:size])
        assert crc.crc32(data[:size], 77) == zlib.crc32(data[:size], 77)


def test_a_machine_without_the_fast_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "isal", None)
    monkeypatch.delitem(sys.modules, "isal.isal_zlib", raising=False)
    try:
        assert importlib.reload(crc).crc32 is zlib.crc32
    finally:
        monkeypatch.undo()
        importlib.reload(crc)
