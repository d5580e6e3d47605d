"""What the old release recorded, and what the new one makes of it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Recorded:
    """One old checkpoint, and how the old release went on with it."""

    name: str
    facts: dict[str, Any]

    @property
    def checkpoint(self) -> Path:
        return HERE / f"{self.name}.pth"


def recorded_cases() -> dict[str, Recorded]:
    files = sorted(HERE.glob("*.json"))
    return {f.stem: Recorded(f.stem, json.loads(f.read_text(encoding="utf-8"))) for f in files}


CASES = recorded_cases()


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What the tool said of each case, and how training went on in the new release."""

    said: dict[str, str]
    results: dict[str, Any]

    def of(self, case: Recorded, kind: str) -> Any:
        return self.results[f"{case.name}/{kind}"]


def environment(folder: Path) -> dict[str, str]:
    """No leave to load pickled objects, which a user does not give either; and no accelerator.

    The losses were recorded on a CPU.
    """
    kept = {key: value for key, value in os.environ.items() if not key.startswith("TORCH_")}
    cache = str(folder / "cache")
    return kept | {"CUDA_VISIBLE_DEVICES": "", "MM_CKPT_MIGRATE_CACHE": cache}
