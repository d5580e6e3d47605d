"""The tables of element types say what torch and the safetensors library say."""

from __future__ import annotations

import pytest

from mm_ckpt_migrate.files.archive.dtypes import (
    ITEM_SIZES,
    SAFETENSORS_CODES,
    SAFETENSORS_DTYPES,
    STORAGE_DTYPES,
)


def test_sizes_are_torchs() -> None:
    torch = pytest.importorskip("torch")
    assert {name: getattr(torch, name).itemsize for name in ITEM_SIZES} == ITEM_SIZES


def test_storages_are_torchs() -> None:
    torch = pytest.importorskip("torch")
    typed = {kind: name for kind, name in STORAGE_DTYPES.items() if kind != "UntypedStorage"}
    assert {kind: str(getattr(torch, kind).dtype) for kind in typed} == {
        kind: f"torch.{name}" for kind, name in typed.items()
    }
    assert torch.UntypedStorage(3).nbytes() == 3 * ITEM_SIZES[STORAGE_DTYPES["UntypedStorage"]]


def test_codes_are_those_of_the_library() -> None:
    library = pytest.importorskip("safetensors.torch")
    assert {code: f"torch.{name}" for code, name in SAFETENSORS_DTYPES.items()} == {
        code: str(library._TYPES[code]) for code in SAFETENSORS_DTYPES
    }
    assert {SAFETENSORS_DTYPES[code] for code in SAFETENSORS_CODES.values()} == {*SAFETENSORS_CODES}
