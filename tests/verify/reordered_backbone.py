"""A backbone that computes the same mathematics in another order: float32 rounds differently."""

from __future__ import annotations

from typing import Any

import torch
from mmseg.models.backbones import SwinTransformer
from mmseg.registry import MODELS


@MODELS.register_module()
class ReorderedSwin(SwinTransformer):
    def forward(self, x: Any) -> Any:
        return super().forward(x * 3 / 3)


@MODELS.register_module()
class SlightlyOtherSwin(SwinTransformer):
    """Not the same mathematics, though float32 hardly shows it."""

    def forward(self, x: Any) -> Any:
        return super().forward(x * (1 + 1e-7))


@MODELS.register_module()
class RandomSwin(SwinTransformer):
    """Never the same twice, from a generator of its own."""

    def forward(self, x: Any) -> Any:
        draw = torch.Generator()
        draw.seed()
        return super().forward(x + torch.rand(x.shape, generator=draw) * 1e-3)


@MODELS.register_module()
class NoisySwin(SwinTransformer):
    """The same once the generator that everybody draws from is seeded."""

    def forward(self, x: Any) -> Any:
        return super().forward(x + torch.rand(x.shape) * 1e-3)
