"""A small model, and the parts that tests of the target room share."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

SMALL_MODEL: dict[str, Any] = {
    "type": "EncoderDecoder",
    "data_preprocessor": {"type": "SegDataPreProcessor", "mean": [0.0] * 3, "std": [1.0] * 3},
    "backbone": {
        "type": "ResNetV1c",
        "depth": 18,
        "num_stages": 4,
        "out_indices": (0, 1, 2, 3),
        "norm_cfg": {"type": "BN", "requires_grad": True},
    },
    "decode_head": {
        "type": "FCNHead",
        "in_channels": 512,
        "in_index": 3,
        "channels": 8,
        "num_convs": 1,
        "concat_input": False,
        "num_classes": 4,
        "norm_cfg": {"type": "BN", "requires_grad": True},
    },
}


@pytest.fixture(scope="session")
def small_config() -> dict[str, Any]:
    return SMALL_MODEL


@pytest.fixture
def small_model(small_config: dict[str, Any]) -> dict[str, Any]:
    """A copy to change."""
    return copy.deepcopy(small_config)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("MM_CKPT_MIGRATE_CACHE", str(folder))
    return folder
