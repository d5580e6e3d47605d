"""The same for what torch.save writes, and for every genuine old checkpoint."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from support.files import golden_files, golden_id

from mm_ckpt_migrate.files.pickles.emit import emit
from mm_ckpt_migrate.files.pickles.parse import parse, parse_whole

LEGACY_PICKLES = 5


@pytest.mark.parametrize("path", golden_files("zip"), ids=golden_id)
def test_same_bytes_for_a_genuine_zip(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        stream = archive.read(archive.namelist()[0])
    assert emit(parse_whole(stream)) == stream


@pytest.mark.parametrize("path", golden_files("legacy"), ids=golden_id)
def test_same_bytes_for_a_genuine_legacy_file(path: Path) -> None:
    data = path.read_bytes()
    start = 0
    for _ in range(LEGACY_PICKLES):
        parsed = parse(data, start)
        assert emit(parsed.root) == data[start : start + parsed.end - start]
        start = parsed.end
    assert start > 10_000


def test_there_are_genuine_files_of_both_kinds() -> None:
    assert len(golden_files("zip")) >= 3
    assert len(golden_files("legacy")) >= 2


def _training_state(torch: Any) -> dict[str, Any]:
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4))
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(2, 3, 4, 4)).sum().backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2)
    return {
        "state_dict": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "param_schedulers": [scheduler.state_dict()],
        "meta": {"epoch": 1, "size": torch.Size([2])},
    }


def _odd_tensors(torch: Any) -> dict[str, Any]:
    whole = torch.arange(12.0).reshape(3, 4)
    return {
        "views": [whole, whole[1], whole.T],
        "empty": torch.zeros(0, 3),
        "scalar": torch.tensor(1),
        "parameter": torch.nn.Parameter(whole),
        "complex": torch.zeros(2, dtype=torch.complex64),
        "conjugate": torch.zeros(2, dtype=torch.complex64).conj(),
        "small": [torch.zeros(2, dtype=t) for t in (torch.bfloat16, torch.uint16, torch.bool)],
        "quantised": torch.quantize_per_tensor(whole, 0.1, 0, torch.qint8),
        "sparse": torch.eye(3).to_sparse(),
        "device": torch.device("cpu"),
        "dtype": torch.float16,
    }


@pytest.mark.filterwarnings("ignore:.*quantize")
@pytest.mark.parametrize("make", [_training_state, _odd_tensors])
def test_same_bytes_for_torch_save(make: Any) -> None:
    torch = pytest.importorskip("torch")
    out = io.BytesIO()
    torch.save(make(torch), out)
    with zipfile.ZipFile(out) as archive:
        stream = archive.read("archive/data.pkl")
    assert emit(parse_whole(stream)) == stream
