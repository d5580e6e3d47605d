"""Small files that campaigns start from: made by torch, and laid out as every release did.

    write_seeds(folder) of this module puts them into a folder.

All are the same in each run: torch numbers the storages of its older format by their addresses,
so those files are put together from the parts of a newer one.
"""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests"))

from support.legacy import build_legacy
from support.zips import build_zip, members_of

from mm_ckpt_migrate.files.archive.dtypes import ITEM_SIZES, SAFETENSORS_CODES
from mm_ckpt_migrate.files.archive.storages import storage_ref
from mm_ckpt_migrate.files.pickles.emit import emit
from mm_ckpt_migrate.files.pickles.nodes import Persistent, Scalar, Text, Tuple, walk
from mm_ckpt_migrate.files.pickles.parse import parse_whole

# An address in the memory of the machine that wrote the file, as torch's older format has it.
_FIRST_ADDRESS = 94_207_711_285_248


@dataclass(frozen=True, slots=True)
class Seed:
    """A file.

    Attributes:
        checked: whether its format holds a checksum of everything.
        suffix: of the file's name.
    """

    name: str
    data: bytes
    checked: bool = True
    suffix: str = ".pth"


@dataclass(frozen=True, slots=True)
class Parts:
    """The object of a file and its storages, by the keys that the object names them with."""

    pickle: bytes
    storages: Mapping[str, bytes]


def weights() -> Any:
    """A model's state dict with `_metadata`, as OpenMMLab's publishing scripts leave it."""
    import torch

    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 1), torch.nn.BatchNorm2d(3))
    return {"state_dict": model.state_dict(), "meta": {"cfg": "model = 1", "mmseg_version": "1"}}


def training() -> Any:
    """The same with what a training keeps beside it."""
    import torch

    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.LayerNorm(2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    model(torch.ones(1, 2)).square().sum().backward()
    optimizer.step()
    average = {"steps": torch.tensor(7)} | {f"module.{n}": t for n, t in model.state_dict().items()}
    scheduler = {"_step_count": 8, "last_step": 7, "power": 0.9, "verbose": False}
    return {
        "meta": {"epoch": 0, "iter": 7, "cfg": "a = [1, 2]\n", "mmengine_version": "0.7.4"},
        "state_dict": model.state_dict(),
        "message_hub": {"log_scalars": {}, "runtime_info": {"iter": 7}, "resumed_keys": {}},
        "optimizer": optimizer.state_dict(),
        "param_schedulers": [scheduler, [1, (2, None)]],
        "ema_state_dict": average,
    }


def pieces() -> list[Any]:
    """What checkpoints hold, a little at a time: a change then hits something that matters."""
    import numpy
    import torch
    from mmengine.logging import HistoryBuffer

    whole, run = weights()["state_dict"], training()
    model = torch.nn.Linear(1, 2).state_dict()
    one = {"state_dict": {"w": torch.ones(2)}}
    base = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    history = HistoryBuffer([1.5, 2.5], [1, 1])
    first = {"state": {0: run["optimizer"]["state"][0]}, "param_groups": [{"lr": 0.1, "params": [0]}]}
    return [
        model,
        {"state_dict": model, "meta": {"cfg": "model = 1", "mmengine_version": "0.7.4", "epoch": 1}},
        {"state_dict": {n: t for n, t in whole.items() if "running" in n or n[0] == "0"}},
        {"state_dict": {"tied": base, "also": base, "part": base[1], "turned": base.t()}},
        {"state_dict": {"p": torch.nn.Parameter(base), "half": torch.ones(3, dtype=torch.bfloat16)}},
        {"state_dict": {"u": torch.ones(2, dtype=torch.uint16), "scalar": torch.tensor(3)}},
        {**one, "optimizer": first},
        {**one, "ema_state_dict": {"steps": torch.tensor(7), "module.w": torch.ones(2)}},
        {**one, "param_schedulers": [{"last_step": 7, "verbose": False}, [1, (2, None)]]},
        {**one, "message_hub": {"log_scalars": {"loss": history}, "runtime_info": {"iter": 7}}},
        {**one, "meta": {"seed": numpy.int64(3), "mean": numpy.ones(2, "float32"), "raw": b"\x80"}},
    ]


def element_types() -> Any:
    """Element types, views and ties."""
    import torch

    base = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    numbers = torch.tensor([0, 1, 1, 0])
    kinds = ("bfloat16", "float8_e4m3fn", "uint16", "bool", "complex64", "int64")
    return {
        **{f"head.{kind}": numbers.to(getattr(torch, kind)) for kind in kinds},
        "tied": base,
        "also_tied": base,
        "part": base[1],
        "turned": base.t(),
        "spread": base[:, :1],
        "parameter": torch.nn.Parameter(torch.ones(2, dtype=torch.float16)),
        "scalar": torch.tensor(3),
        "none": torch.zeros(0),
    }


def seeds() -> list[Seed]:
    """Files in all formats, with and without what torch came to put beside the object."""
    model, run, kinds = parts(weights()), parts(training()), parts(element_types())
    return [
        Seed("zip, as torch writes it: weights", saved(weights())),
        Seed("zip, as torch writes it: a training", saved(training())),
        Seed("zip, as torch writes it: element types, views and ties", saved(element_types())),
        Seed("zip of torch 1.6: weights", as_zip(model, {})),
        Seed("zip of torch 2.0: a training", as_zip(run, {"byteorder": b"little"})),
        Seed("zip of torch 2.0: element types", as_zip(kinds, {"byteorder": b"little"})),
        Seed("zip without CRCs (--no-crc): weights", _without_crc(model), checked=False),
        Seed("legacy: weights", as_legacy(model), checked=False),
        Seed("legacy: a training", as_legacy(run), checked=False),
        Seed("safetensors", as_safetensors(weights()["state_dict"]), False, ".safetensors"),
    ]


def saved(value: Any) -> bytes:
    """What torch.save makes of it."""
    import torch

    out = io.BytesIO()
    torch.save(value, out)
    return out.getvalue()


def parts(value: Any) -> Parts:
    """The object and the storages of what torch.save makes of a value."""
    with zipfile.ZipFile(io.BytesIO(saved(value))) as archive:
        content = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    storages = {n.removeprefix("data/"): data for n, data in content.items() if n[:5] == "data/"}
    return Parts(content["data.pkl"], storages)


def as_zip(made: Parts, small: Mapping[str, bytes] | None = None) -> bytes:
    """Laid out by torch's rules; `small`: the members beside object and storages, if not today's"""
    return build_zip(members_of(made.pickle, made.storages, small=small))


def _without_crc(made: Parts) -> bytes:
    members = members_of(made.pickle, made.storages)
    for member in members:
        member.central, member.descriptor = {"crc": 0}, {"crc": 0}
    return build_zip(members)


def as_legacy(made: Parts) -> bytes:
    """The format before torch 1.6."""
    root = parse_whole(made.pickle)
    storages: dict[str, tuple[int, bytes]] = {}
    keys = {key: str(_FIRST_ADDRESS + 64 * number) for number, key in enumerate(made.storages)}
    for node in walk(root):
        if isinstance(node, Persistent):
            ref = storage_ref(node)
            assert isinstance(node.pid, Tuple)
            new = Text(keys[ref.key])
            node.pid.items = [*node.pid.items[:2], new, *node.pid.items[3:5], Scalar(None, b"N")]
            storages[new.value] = (ref.numel, made.storages[ref.key])
    return build_legacy(emit(root), storages=dict(sorted(storages.items())))


def as_safetensors(state_dict: Mapping[str, Any]) -> bytes:
    """By the format's own description, with padding and metadata."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt", "cfg": "model = 1"}}
    body = b""
    for name, tensor in state_dict.items():
        dtype = str(tensor.dtype).removeprefix("torch.")
        data = bytes(tensor.contiguous().untyped_storage())[: tensor.numel() * ITEM_SIZES[dtype]]
        header[name] = {
            "dtype": SAFETENSORS_CODES[dtype],
            "shape": list(tensor.shape),
            "data_offsets": [len(body), len(body) + len(data)],
        }
        body += data
    raw = json.dumps(header, separators=(",", ":")).encode()
    raw += b" " * (-len(raw) % 8)
    return len(raw).to_bytes(8, "little") + raw + body


def write_seeds(folder: Path) -> list[Path]:
    """Every seed as a file."""
    made = [folder / f"{number:02}{seed.suffix}" for number, seed in enumerate(seeds())]
    for path, seed in zip(made, seeds(), strict=True):
        path.write_bytes(seed.data)
    return made
