"""Makes mmcv 1.x and mmdet 2.x importable on a current Python: `install()` before either."""

import sys
from types import ModuleType
from typing import Any

import mmcv_ext_stub
import numpy as np
import torch

# What numpy 1.24 took away; mmdet 2.10 still asks for it.
ALIASES = {"bool": bool, "float": float, "int": int, "object": object}


def install() -> None:
    """Stand in for what is not compiled, and for what the years took away."""
    mmcv_ext_stub.install()
    install_torchvision()
    for name, kind in ALIASES.items():
        if name not in np.__dict__:
            setattr(np, name, kind)


def install_torchvision() -> None:
    """mmcv 1.x lists its pretrained models while it is imported; no case asks for one."""
    package, models = ModuleType("torchvision"), ModuleType("torchvision.models")
    package.__version__, package.models, models.__path__ = "0.0.0", models, []
    sys.modules.setdefault("torchvision", package)
    sys.modules.setdefault("torchvision.models", models)


def train_on_cpu() -> None:
    """mmdet 2.10 asks for a GPU, and mmcv 1.2 takes no batch apart without one; later ones do."""
    from mmcv.parallel import MMDataParallel

    def train_step(self: Any, batch: Any, optimizer: Any, **kwargs: Any) -> Any:
        first = {name: container.data[0] for name, container in batch.items()}
        return self.module.train_step(first, optimizer, **kwargs)

    MMDataParallel.train_step = train_step
    torch.nn.Module.cuda = lambda self, device=None: self
