"""A backbone that computes the same mathematics in another order: float32 rounds differently."""

from __future__ import annotations

from typing import Any

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
    """Never the same twice."""

    def forward(self, x: Any) -> Any:
        return super().forward(x + x.new_empty(x.shape).uniform_(0, 1e-3))
