"""What torch.save writes is read and laid out again byte for byte; so is the tests' own writer."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.files import golden_files, golden_id, in_memory, write
from support.layout import rendered, zip_laid_out_again
from support.zips import Member, build_zip, torch_zip

from mm_ckpt_migrate.files.archive import torchzip
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.archive.torchzip import TorchZip, compose_zip, read_zip

Make = Callable[[Any], Any]

SAVED: dict[str, Make] = {
    "one_tensor": lambda torch: {"w": torch.ones(2)},
    "no_tensor": lambda torch: {"epoch": 1},
    "empty_storage": lambda torch: {"a": torch.ones(3), "b": torch.zeros(0), "c": torch.ones(1)},
    "only_empty_storages": lambda torch: [torch.zeros(0), torch.zeros(0, 3)],
    "tied": lambda torch: dict.fromkeys("abc", torch.ones(5)),
    "views": lambda torch: [torch.arange(64.0)[i:] for i in range(3)],
    "sizes_around_the_alignment": lambda torch: [
        torch.zeros(n, dtype=torch.uint8) for n in (*range(1, 67), 127, 128, 129)
    ],
    "a_megabyte": lambda torch: [torch.arange(1 << 18), torch.zeros(3)],
    "many_storages": lambda torch: [torch.full((1,), float(i)) for i in range(1200)],
    "long_pickle": lambda torch: {"text": "x" * 70_000, "w": torch.ones(2)},
}


def saved(make: Make, torch: Any) -> bytes:
    out = io.BytesIO()
    torch.save(make(torch), out)
    return out.getvalue()


@pytest.mark.parametrize("name", SAVED)
def test_same_bytes_as_torch_save(name: str) -> None:
    data = saved(SAVED[name], pytest.importorskip("torch"))
    assert zip_laid_out_again(data) == data


@pytest.mark.parametrize("path", golden_files("zip"), ids=golden_id)
def test_same_bytes_as_a_genuine_file(path: Path) -> None:
    data = path.read_bytes()
    assert zip_laid_out_again(data) == data


@pytest.mark.parametrize("name", ["plain.pth", "my model.pth", "best:7.pth", "a-b+c@d,e(1).pth", "ü.pth"])
def test_top_folder_that_torch_takes_from_the_files_name(name: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / name
    torch.save({"w": torch.ones(2)}, path)
    assert zip_laid_out_again(path.read_bytes()) == path.read_bytes()


@pytest.mark.parametrize("alignment", [1, 2, 16, 64, 128, 4096, 65536])
def test_storage_alignment_is_kept(alignment: int, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.serialization import config

    with config.patch("save.storage_alignment", alignment):
        data = saved(SAVED["empty_storage"], torch)
    assert f"{alignment}".encode() in data
    assert zip_laid_out_again(data) == data


def test_zip_writer_is_torchs() -> None:
    """So that what the other tests refuse is refused for what they change, and nothing else."""
    data = saved(SAVED["empty_storage"], pytest.importorskip("torch"))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [Member(name, archive.read(name)) for name in archive.namelist()]
    assert build_zip(members) == data


def test_own_zip_is_laid_out_again_without_torch() -> None:
    data = torch_zip()
    assert zip_laid_out_again(data) == data


def test_a_new_pickle_keeps_every_storage_aligned() -> None:
    torch = pytest.importorskip("torch")
    data = saved(SAVED["sizes_around_the_alignment"], torch)
    with in_memory(data) as fd, Source(Path("old.pth"), fd) as source:
        found = read_zip(source)
        for padding in range(0, 140, 7):
            pickle = found.pickle + b" " * padding
            image = compose_zip(found, pickle, found.extents)
            assert all(offset % 64 == 0 for offset, extent in image.extents() if extent.size)
            assert zipfile.ZipFile(io.BytesIO(rendered(image, data))).testzip() is None


@pytest.mark.parametrize(("longer", "moved"), [(0, 0), (64, 64), (128, 65536), (64 * 600, 65536)])
def test_large_storages_fall_onto_whole_pages(
    longer: int, moved: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless that takes more padding than a member may have: 65,472 bytes for 64 more."""
    monkeypatch.setattr(torchzip, "_WORTH_ALIGNING", 1)
    data = torch_zip()
    with in_memory(data) as fd, Source(Path("old.pth"), fd) as source:
        found = read_zip(source)
        image = compose_zip(found, found.pickle + b" " * longer, found.extents)
        ((offset, extent),) = image.extents()
        assert offset - extent.offset == moved


def test_torch_reads_a_composed_file_in_every_mode(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.serialization import config

    data = saved(lambda t: {str(i): t.full((i, 3), float(i)) for i in range(5)}, torch)
    path = write(tmp_path, zip_laid_out_again(data))
    expected = torch.load(io.BytesIO(data))
    for mmap in (False, True):
        for computed in (False, True):
            with config.patch("load.calculate_storage_offsets", computed):
                loaded = torch.load(path, mmap=mmap)
            assert all(torch.equal(loaded[key], expected[key]) for key in expected)


def test_default_shell_is_what_torch_takes(tmp_path: Path) -> None:
    """A legacy file has no small members; the zip that is made of it gets torch's own."""
    torch = pytest.importorskip("torch")
    data = torch_zip()
    with in_memory(data) as fd, Source(Path("old.pth"), fd) as source:
        found = read_zip(source)
        image = compose_zip(TorchZip(b"", ()), found.pickle, found.extents)
    path = write(tmp_path, rendered(image, data))
    assert torch.load(path)["state_dict"]["w"].tolist() == [1.5, -2.0]
    assert os.path.getsize(path) == len(data)
