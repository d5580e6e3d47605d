"""What people did before: load, rename with str.replace, build, load strictly, save.

    python one_page_script.py {1,2} CFG OLD NEW

With `-` for CFG no model is built, and nothing is checked.

This is the yardstick, not a part of the tool: it executes the checkpoint's pickle, keeps the
optimizer in the wrong order, and loses both files when it is killed while it saves over one.
"""

import copy
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class _NoOps(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_args, **_kwargs: None


def stub_compiled_ops() -> None:
    """mmcv-lite has no compiled operators, and building a model calls none."""
    module = _NoOps("mmcv._ext")
    module.__spec__ = ModuleSpec("mmcv._ext", None)
    sys.modules.setdefault("mmcv._ext", module)


def rename(key: str, family: int) -> str:
    first, second = ("self_attn", "cross_attn") if family == 1 else ("cross_attn", "self_attn")
    if "encoder.layers" in key and "transformer_decoder" not in key:
        key = key.replace("attentions.0", "self_attn")
    if "decoder.layers" in key:
        key = key.replace("attentions.0", first).replace("attentions.1", second)
    return key.replace("ffns.0", "ffn")


def build(config: str) -> Any:
    stub_compiled_ops()
    import mmdet.models  # noqa: F401
    from mmengine.config import Config
    from mmseg.apis import init_model

    return init_model(Config.fromfile(config), device="cpu")


def main() -> None:
    family, config, old, new = sys.argv[1:]
    import torch

    checkpoint = torch.load(old, map_location="cpu", weights_only=False)
    converted = copy.deepcopy(checkpoint)
    converted["state_dict"] = {
        rename(key, int(family)): value for key, value in checkpoint["state_dict"].items()
    }
    if config != "-":
        build(config).load_state_dict(converted["state_dict"], strict=True)
    torch.save(converted, new)


if __name__ == "__main__":
    main()
