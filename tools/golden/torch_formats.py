"""Write small checkpoints with the torch that runs this: `python torch_formats.py FOLDER`.

It runs under torch 1.6 and Python 3.8 as well as under the newest. `tests/files/formats/`
holds what each release wrote (`tar cJf`), and the bits of each tensor as that
release itself saw them. The names are MaskFormer's, so that there is something to migrate.
"""

from __future__ import annotations

import ctypes
import io
import json
import os
import sys
from collections import OrderedDict

import torch

HEAD = "decode_head"
WEIGHTS = (
    f"{HEAD}.query_embed.weight",
    f"{HEAD}.pixel_decoder.mask_feature.weight",
    f"{HEAD}.transformer_decoder.layers.0.attentions.0.attn.in_proj_weight",
    f"{HEAD}.transformer_decoder.layers.0.attentions.1.attn.in_proj_weight",
    f"{HEAD}.transformer_decoder.layers.0.ffns.0.layers.1.weight",
)
DTYPES = (
    "float64",
    "float16",
    "bfloat16",
    "int64",
    "int32",
    "int16",
    "int8",
    "uint8",
    "bool",
    "complex64",
    "complex128",
)
# No release puts them into a file of the legacy format, and some into none.
NEWER_DTYPES = ("uint16", "uint32", "uint64", "float8_e4m3fn", "float8_e5m2")


def release():
    return tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])


def can_be_saved(value):
    try:
        torch.save(value, io.BytesIO())
    except KeyError:
        return False
    return True


def tensors(legacy=False):
    """What a state dict may hold, by names that no rule touches."""
    base = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    found = OrderedDict((name, torch.full((2, 2), 1.5 + n)) for n, name in enumerate(WEIGHTS))
    for name in DTYPES if legacy else DTYPES + NEWER_DTYPES:
        if hasattr(torch, name):
            value = torch.tensor([0, 1, 3, 0]).to(getattr(torch, name))
            if can_be_saved(value):
                found["backbone.dtypes.of_" + name] = value
    views = {
        "whole": base,
        "row": base[1],
        "column": base[:, :, 2],
        "transposed": base.permute(2, 0, 1),
        "every_other": base[:, ::2],
        "scalar": torch.tensor(2.5),
        "part": base[0, 1, 2],
        "expanded": torch.ones(1, 3).expand(4, 3),
        "empty": torch.zeros(0, 3),
        "channels_last": torch.ones(1, 2, 2, 2).contiguous(memory_format=torch.channels_last),
    }
    found.update(("backbone.views." + name, value) for name, value in views.items())
    tied = torch.tensor([-0.0, float("nan"), float("inf"), 1e-45])
    found["backbone.tied.one"] = found["backbone.tied.other"] = tied
    return found


def others():
    """What may lie beside a state dict, and is carried as it is."""
    base = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    scales, zeros = torch.tensor([0.1, 0.2]), torch.tensor([0, 1])
    found = {
        "quantised": torch.quantize_per_tensor(base, 0.1, 3, torch.qint8),
        "quantised_per_channel": torch.quantize_per_channel(base, scales, zeros, 0, torch.quint8),
        "sparse": torch.tensor([[0.0, 2.0], [3.0, 0.0]]).to_sparse(),
        "parameter": torch.nn.Parameter(base.clone()),
        "frozen": torch.nn.Parameter(base.clone(), requires_grad=False),
        "nested": {"list": [base, (base[1], {"deeper": [base.t()]})], "size": base.size()},
        "dtype": torch.float16,
        "device": torch.device("cpu"),
    }
    if release() >= (1, 10):
        found["conjugate"] = torch.tensor([1 + 2j]).conj()
    return found


def model(found):
    """A module with these tensors as its own; the first of them are parameters."""
    root = torch.nn.Module()
    for name, value in found.items():
        *path, last = name.split(".")
        owner = root
        for part in path:
            if part not in owner._modules:
                owner.add_module(part, torch.nn.Module())
            owner = owner._modules[part]
        if name in WEIGHTS:
            owner.register_parameter(last, torch.nn.Parameter(value))
        else:
            owner.register_buffer(last, value)
    return root


def bits(value):
    """Type, shape and bytes, without torch's help in comparing them."""
    plain = torch.empty(value.shape, dtype=value.dtype).copy_(value.detach())
    size = plain.numel() * plain.element_size()
    raw = ctypes.string_at(plain.data_ptr(), size) if size else b""
    return [str(value.dtype), list(value.shape), raw.hex()]


def main():
    folder = os.path.join(sys.argv[1], torch.__version__.split("+")[0])
    os.makedirs(folder, exist_ok=True)
    found = tensors()
    network = model(found)
    whole = {
        "meta": {"epoch": 1, "torch": str(torch.__version__)},
        "state_dict": network.state_dict(),
        "extra": others(),
    }
    torch.save(whole, os.path.join(folder, "zip.pth"))
    whole["state_dict"] = model(tensors(legacy=True)).state_dict()
    torch.save(whole, os.path.join(folder, "legacy.pth"), _use_new_zipfile_serialization=False)
    parallel = torch.nn.DataParallel(network)
    torch.save(parallel.state_dict(), os.path.join(folder, "parallel.pth"))
    if release() >= (2, 0):
        compiled = torch.compile(network)
        torch.save(compiled.state_dict(), os.path.join(folder, "compiled.pth"))
    with open(os.path.join(folder, "bits.json"), "w") as file:
        json.dump({name: bits(value) for name, value in found.items()}, file, indent=0)


if __name__ == "__main__":
    main()
