"""Real files are never refused by mistake: what torch 1.6 to 2.13 wrote is read, bit for bit.

`tools/golden/torch_formats.py` wrote them, each with the release that the folder is named
after, and wrote down the bits that it saw itself.
"""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from support.equal import same

from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.options import Options
from mm_ckpt_migrate.errors import ExitCode
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.files.checkpoint.tensors import Tensor, gather

WRITTEN = Path(__file__).with_name("written.tar.xz")
with tarfile.open(WRITTEN) as archive:
    FILES = sorted(name for name in archive.getnames() if name.endswith(".pth"))
LEGACY = [name for name in FILES if name.endswith("legacy.pth")]
PREFIXES = {"parallel.pth": "module.", "compiled.pth": "_orig_mod."}
RENAMED = {"attentions.0.": "self_attn.", "attentions.1.": "cross_attn.", "ffns.0.": "ffn."}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("written")
    with tarfile.open(WRITTEN) as archive:
        archive.extractall(path, filter="data")
    return path


@pytest.fixture(params=FILES)
def old(request: pytest.FixtureRequest, folder: Path) -> Path:
    return folder / str(request.param)


@pytest.fixture
def new(old: Path, tmp_path: Path) -> Path:
    """What is made of it."""
    path = tmp_path / "new.pth"
    options = Options(build=False, keep_as_is=True)
    assert convert("auto", "-", old, path, options).exit_code == ExitCode.OK
    return path


def bits_of(old: Path) -> dict[str, tuple[str, list[int], str]]:
    """What the release that wrote it saw."""
    found = json.loads((old.parent / "bits.json").read_text())
    return {name: (dtype.removeprefix("torch."), *rest) for name, (dtype, *rest) in found.items()}


def read(checkpoint: Checkpoint, tensor: Tensor) -> tuple[str, list[int], str]:
    extent = checkpoint.extents[tensor.storage]
    storage = checkpoint.source.read(extent.offset, extent.size)
    start = tensor.byte_offset
    raw = gather(storage, tensor) if tensor.spec.shape else storage[start : start + tensor.nbytes]
    return tensor.spec.dtype, list(tensor.spec.shape), raw.hex()


def new_name(name: str) -> str:
    for before, after in RENAMED.items():
        name = name.replace(before, after)
    return name


def test_releases_from_1_6_on() -> None:
    releases = {name.partition("/")[0] for name in FILES}
    assert {
        "1.6.0",
        "1.7.1",
        "1.8.1",
        "1.9.1",
        "1.10.2",
        "1.11.0",
        "1.12.1",
        "1.13.1",
        "2.0.1",
        "2.1.2",
        "2.2.2",
        "2.4.1",
        "2.6.0",
        "2.9.1",
        "2.13.0",
    } <= releases
    assert len(LEGACY) == len(releases)


def test_every_tensor_is_what_the_writer_saw(old: Path) -> None:
    bits = bits_of(old)
    with Source(old) as source:
        checkpoint = open_checkpoint(source)
        assert checkpoint.prefix == PREFIXES.get(old.name, "")
        found = {name: read(checkpoint, tensor) for name, tensor in checkpoint.tensors.items()}
    assert {name: bits[name] for name in found} == found
    left = {name for name in bits if name not in found}
    assert not left or (old.name == "legacy.pth" and all(".dtypes." in name for name in left))
    assert checkpoint.schema.ties == (("backbone.tied.one", "backbone.tied.other"),)


def test_every_tensor_arrives(old: Path, new: Path) -> None:
    bits = bits_of(old)
    with Source(old) as before, Source(new) as after:
        names = open_checkpoint(before).tensors
        checkpoint = open_checkpoint(after)
        found = {name: read(checkpoint, tensor) for name, tensor in checkpoint.tensors.items()}
    assert found == {new_name(name): bits[name] for name in names}
    assert checkpoint.schema.ties == (("backbone.tied.one", "backbone.tied.other"),)


@pytest.mark.filterwarnings("ignore")
def test_torch_of_today_loads_the_same_in_every_mode(old: Path, new: Path) -> None:
    torch = pytest.importorskip("torch")
    before = torch.load(old, map_location="cpu", weights_only=False)
    state_dict = before.get("state_dict", before)
    prefix = PREFIXES.get(old.name, "")
    expected = {new_name(name.removeprefix(prefix)): value for name, value in state_dict.items()}
    modes = [False] if old.name == "legacy.pth" else [False, True]
    count = 0
    for mmap in modes:
        for computed in (False, True):
            with torch.utils.serialization.config.patch("load.calculate_storage_offsets", computed):
                after = torch.load(new, map_location="cpu", mmap=mmap, weights_only=False)
            assert set(after["state_dict"]) == set(expected)
            assert all(same(after["state_dict"][name], expected[name]) for name in expected)
            assert alike(after.get("extra"), before.get("extra"))
            count += 1
    assert count == 2 * len(modes)


def alike(first: Any, second: Any) -> bool:
    """Equal to the bit, also where a tensor has no bytes of its own."""
    import torch

    if isinstance(first, dict):
        return list(first) == list(second) and all(alike(first[k], second[k]) for k in first)
    if isinstance(first, (list, tuple)) and not isinstance(first, torch.Size):
        return len(first) == len(second) and all(map(alike, first, second))
    if not isinstance(first, torch.Tensor):
        return type(first) is type(second) and bool(first == second)
    if first.is_quantized:
        ranges = first.qscheme() == second.qscheme() and scales(first) == scales(second)
        return ranges and same(first.int_repr(), second.int_repr())
    if first.is_sparse:
        return same(first._indices(), second._indices()) and same(first._values(), second._values())
    equal = first.is_conj() == second.is_conj() and first.requires_grad == second.requires_grad
    return equal and same(first.resolve_conj().detach(), second.resolve_conj().detach())


def scales(tensor: Any) -> list[float]:
    import torch

    if tensor.qscheme() == torch.per_tensor_affine:
        return [tensor.q_scale(), tensor.q_zero_point()]
    return [*tensor.q_per_channel_scales().tolist(), *tensor.q_per_channel_zero_points().tolist()]
