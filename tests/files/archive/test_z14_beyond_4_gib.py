"""Z14: where a member, or its offset, does not fit into 32 bits. The files are sparse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mm_ckpt_migrate.files.archive.image import Image
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.archive.torchzip import compose_zip, read_zip
from mm_ckpt_migrate.files.archive.zipread import read_records

FOUR_GIB = 1 << 32
LAYOUTS: dict[str, list[int]] = {
    "one_of_4_gib": [FOUR_GIB, 12],
    "one_of_4_gib_less_1": [FOUR_GIB - 1, 12, 0, 4],
    "one_of_4_gib_less_2": [FOUR_GIB - 2, 12],
    "one_of_5_gib_behind_another": [100, FOUR_GIB + (1 << 30) + 4, 0, 8],
    "two_of_3_gib": [3 << 30, 3 << 30, 7, 0],
    "empty_beyond_4_gib": [3 << 30, 2 << 30, 0],
}
# Of a file with three storages: where the first one's payload starts, and its descriptor's size.
FIRST_PAYLOAD, DESCRIPTOR = 832, 16


def save(torch: Any, sizes: list[int], path: Path) -> None:
    """Storages of these sizes in bytes, of which only the places are written."""
    with torch.serialization.skip_data():
        torch.save([torch.empty(size, dtype=torch.uint8) for size in sizes], path)


@pytest.mark.parametrize("name", LAYOUTS)
def test_same_headers_as_torch_save(name: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / "large.pth"
    save(torch, LAYOUTS[name], path)
    check_same_headers(path, LAYOUTS[name])


@pytest.mark.parametrize("delta", [-130, -66, -64, -2, -1, 0, 1, 2, 63, 64])
def test_same_headers_around_4_gib(delta: int, tmp_path: Path) -> None:
    """The second storage's header lies just there, and the third's soon after."""
    torch = pytest.importorskip("torch")
    path = tmp_path / "large.pth"
    sizes = [FOUR_GIB - FIRST_PAYLOAD - DESCRIPTOR + delta, 40, 9]
    save(torch, sizes, path)
    with Source(path) as source:
        second = next(r for r in read_records(source) if r.name.endswith("/data/1"))
        assert second.offset == FOUR_GIB + delta
    check_same_headers(path, sizes)


def check_same_headers(path: Path, sizes: list[int]) -> None:
    with Source(path) as source:
        found = read_zip(source)
        assert [extent.size for extent in found.extents] == sizes
        image = compose_zip(found, found.pickle, found.extents)
        assert image.size == source.size
        for offset, literal in image.literals():
            assert source.read(offset, len(literal)) == literal
        assert [(o, e.offset) for o, e in image.extents()] == [(e.offset, e.offset) for e in found.extents]


@pytest.mark.parametrize("longer", [1, 63, 64, 65, 4096])
def test_a_longer_pickle_moves_members_across_4_gib(longer: int, tmp_path: Path) -> None:
    """What is laid out then is again a file that the strict reader accepts."""
    torch = pytest.importorskip("torch")
    path, again = tmp_path / "large.pth", tmp_path / "again.pth"
    sizes = [FOUR_GIB - 2048, 300, 300]
    save(torch, sizes, path)
    with Source(path) as source:
        found = read_zip(source)
        write_literals(compose_zip(found, found.pickle + b" " * longer, found.extents), again)
    with Source(again) as source:
        read = read_records(source)
        assert [r.size for r in read if "/data/" in r.name] == sizes
        assert read[0].size == len(found.pickle) + longer


def write_literals(image: Image, path: Path) -> None:
    """Everything but the storages, which stay holes."""
    with path.open("wb") as file:
        for offset, literal in image.literals():
            file.seek(offset)
            file.write(literal)
