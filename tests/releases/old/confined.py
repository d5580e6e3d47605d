"""A model that does, when it is built, what its config says."""

from __future__ import annotations

from typing import Any

from mmseg.models import EncoderDecoder
from mmseg.registry import MODELS


@MODELS.register_module()
class Confined(EncoderDecoder):
    def __init__(self, line: str, **settings: Any) -> None:
        exec(line)
        super().__init__(**settings)
