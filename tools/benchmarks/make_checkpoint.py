"""Make a full-size old checkpoint with random weights: the layout of Mask2Former Swin-L.

    python make_checkpoint.py OUT.pth [--training]

With `--training` it is that of Mask2Former R50, with the state of AdamW and one param group for
each parameter, as mmengine 0.7 made them. It is saved by torch itself, with `_metadata`. The
layout is derived from the target model, so that it needs no old release.
"""

import sys
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

CONFIG = "mask2former_swin-l-in22k-384x384-pre_8xb2-160k_ade20k-640x640"
TRAINING_CONFIG = "mask2former_r50_8xb2-160k_ade20k-512x512"
_OLD_NAMES = (
    (".transformer_decoder.layers.", ".cross_attn.", ".attentions.0."),
    (".transformer_decoder.layers.", ".self_attn.", ".attentions.1."),
    (".encoder.layers.", ".self_attn.", ".attentions.0."),
    (".layers.", ".ffn.", ".ffns.0."),
)


def old_name(name: str) -> str:
    """The old name of a current key or module path of Mask2Former's head."""
    if not name.startswith("decode_head."):
        return name
    padded = f"{name}."
    for within, new, old in _OLD_NAMES:
        if within in padded:
            padded = padded.replace(new, old, 1)
    return padded.removesuffix(".")


def old_order(names: Sequence[str]) -> list[str]:
    """Old names as the old model registers them: attentions by their numbers."""
    return [
        name
        for _, layer in groupby(names, key=_decoder_layer)
        for name in sorted(layer, key=lambda n: _child(n) if _decoder_layer(n) else ())
    ]


def _decoder_layer(name: str) -> tuple[str, ...] | None:
    parts = tuple(name.split("."))
    return parts[:4] if parts[1:3] == ("transformer_decoder", "layers") else None


def _child(name: str) -> tuple[str, ...]:
    kind, number = [*name.split(".")[4:6], "", ""][:2]
    return (kind, number) if kind == "attentions" else (kind,)


def training_state(parameters: Sequence[str], state_dict: Mapping[str, Any]) -> dict[str, Any]:
    """What mmengine saves beside the weights."""
    import torch

    settings = {"lr": 5e-5, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.05, "initial_lr": 1e-4}
    state = {
        index: {
            "step": torch.tensor(1000.0),
            "exp_avg": torch.randn_like(state_dict[name]),
            "exp_avg_sq": torch.rand_like(state_dict[name]),
        }
        for index, name in enumerate(parameters)
    }
    groups = [{**settings, "params": [index]} for index in state]
    rates = [[1e-4] * len(groups), [5e-5] * len(groups)]
    scheduler = {"power": 0.9, "last_step": 1000, "base_values": rates[0], "_last_value": rates[1]}
    return {
        "optimizer": {"state": state, "param_groups": groups},
        "param_schedulers": [scheduler],
        "message_hub": {"log_scalars": {}, "runtime_info": {}, "resumed_keys": {}},
    }


def main(out: Path, *, training: bool) -> None:
    import torch

    from mm_ckpt_migrate.convert.options import Options
    from mm_ckpt_migrate.convert.target_config import open_target, read_target_config
    from mm_ckpt_migrate.mapping.rules.library import load_rules

    name = TRAINING_CONFIG if training else CONFIG
    config = read_target_config(name, None, load_rules().families)
    with open_target(config, Options()) as target:
        model = target.schema()
    specs = {old_name(spec.name): spec for spec in model.schema.tensors}
    state_dict: Any = OrderedDict()
    for name in old_order(list(specs)):
        dtype = getattr(torch, specs[name].dtype)
        shape = specs[name].shape
        ones = torch.randn(shape) if dtype.is_floating_point else torch.zeros(shape)
        state_dict[name] = ones.to(dtype)
    modules = model.schema.modules or {}
    versions = {old_name(path): {"version": version} for path, version in modules.items()}
    state_dict._metadata = OrderedDict((path, versions[path]) for path in old_order(list(versions)))
    checkpoint = {"meta": {"iter": 160000}, "state_dict": state_dict}
    if training:
        parameters = old_order([old_name(name) for name in model.parameters])
        checkpoint |= training_state(parameters, state_dict)
    torch.save(checkpoint, out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), training="--training" in sys.argv)
