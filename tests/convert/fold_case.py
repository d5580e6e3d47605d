"""The ViT whose patch embedding has a bias, and what torch makes of it when it is folded."""

from __future__ import annotations

from typing import Any

from golden_cases import CASES, same_bytes

from mm_ckpt_migrate.convert.options import Purpose

VIT = CASES["vit_upernet"]
BIAS, POSITIONS = "backbone.patch_embed.projection.bias", "backbone.pos_embed"
FOLD: dict[str, Any] = {"fold": True, "purpose": Purpose.INFERENCE}
STAMP = "mm_ckpt_migrate"


def folded(state: Any) -> Any:
    """What torch makes of it, in the tensors' own type."""
    made = state.copy()
    made[POSITIONS] = state[POSITIONS].clone()
    made[POSITIONS][:, 1:] += made.pop(BIAS)
    return made


def check_weights(found: Any, old: Any) -> None:
    wanted = folded(old)
    assert not same_bytes(wanted[POSITIONS], old[POSITIONS])
    assert list(found) == list(wanted)
    assert all(same_bytes(tensor, found[name]) for name, tensor in wanted.items())
