"""`migrate://` refuses what somebody else wrote, and parts that no rule knows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mm_ckpt_migrate.errors import FamilyError

pytestmark = pytest.mark.mm

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize(
    ("case", "meta", "more", "reason"),
    [
        ("vit_upernet", {"mmpretrain_version": "1.2.0"}, (), "MMPretrain"),
        ("mask2former_r18", {"mmpose_version": "0.29.0"}, (), "MMPose"),
        ("mask2former_r18", {}, ("teacher_model.w",), "no rule of mask2former knows teacher_model"),
    ],
)
def test_it_is_refused(
    case: str,
    meta: dict[str, str],
    more: tuple[str, ...],
    reason: str,
    load: Callable[..., Any],
    tmp_path: Path,
) -> None:
    import torch

    state = torch.load(GOLDEN / case / "old.pth", weights_only=False)["state_dict"]
    state.update(dict.fromkeys(more, next(iter(state.values()))))
    torch.save({"meta": meta, "state_dict": state}, tmp_path / "old.pth")
    with pytest.raises(FamilyError, match=reason):
        load(tmp_path / "old.pth")
