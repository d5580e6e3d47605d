"""What torch.save writes, in memory."""

from __future__ import annotations

import io
from typing import Any


def saved(value: Any) -> bytes:
    import torch

    out = io.BytesIO()
    torch.save(value, out)
    return out.getvalue()
