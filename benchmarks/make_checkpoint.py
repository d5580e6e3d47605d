"""Make a full-size old checkpoint with random weights: the layout of Mask2Former Swin-L.

    python make_checkpoint.py OUT.pth

It is saved by torch itself, with `_metadata` and an old-style config in `meta`. The layout is
derived from the target model by the inverse of the plan, so that it needs no old release.
"""

import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

CONFIG = "mask2former_swin-l-in22k-384x384-pre_8xb2-160k_ade20k-640x640"
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


def main(out: Path) -> None:
    import torch

    from mm_ckpt_migrate.configs.find import find_config
    from mm_ckpt_migrate.configs.read import read_config
    from mm_ckpt_migrate.target.resolve import resolve_target

    config: Any = read_config(find_config(CONFIG))
    imports = tuple(config.get("custom_imports", {}).get("imports", ()))
    with resolve_target(config["model"], "mmseg", imports=imports) as target:
        schema = target.schema().schema
    state_dict: Any = OrderedDict()
    for spec in schema.tensors:
        dtype = getattr(torch, spec.dtype)
        ones = torch.randn(spec.shape) if dtype.is_floating_point else torch.zeros(spec.shape)
        state_dict[old_name(spec.name)] = ones.to(dtype)
    state_dict._metadata = OrderedDict(
        (old_name(path), {"version": version}) for path, version in (schema.modules or {}).items()
    )
    torch.save({"meta": {"iter": 160000}, "state_dict": state_dict}, out)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
