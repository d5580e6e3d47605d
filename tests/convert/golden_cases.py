"""The genuine old checkpoints, and conversions of them that tests share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.files import new_config, old_config

from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.options import Options
from mm_ckpt_migrate.verdicts import ConvertReport, Rung

GOLDEN = Path(__file__).parents[1] / "golden"
FAMILIES = ("maskformer", "mask2former")


@dataclass(frozen=True)
class Case:
    """One golden folder."""

    name: str
    family: str
    container: str
    old: Path
    sha256: str
    sections: tuple[str, ...]

    @property
    def folder(self) -> Path:
        return self.old.parent

    @property
    def new_config(self) -> str:
        return str(new_config(self.name))

    @property
    def old_config(self) -> str:
        return str(old_config(self.name))

    @property
    def other_family(self) -> str:
        return next(name for name in FAMILIES if name != self.family)

    @property
    def training_state(self) -> tuple[str, ...]:
        return tuple(n for n in self.sections if n in ("optimizer", "param_schedulers"))


def _case(folder: Path) -> Case:
    facts = json.loads((folder / "case.json").read_text())
    return Case(
        facts["case"],
        facts["family"],
        facts["container"],
        folder / facts["checkpoint"],
        facts["sha256"],
        tuple(facts["entries"]),
    )


CASES = {folder.name: _case(folder) for folder in sorted(GOLDEN.iterdir())}
NAMES = list(CASES)
# One of each container, family and backbone: enough where all of them would tell no more.
FEW = ["mask2former_r18", "maskformer_swin"]
# And of what is special: a plan of two generations, and one that renames nothing.
VARIED = [*FEW, "detr_g1_r18", "vit_upernet"]

ZIP = [case.name for case in CASES.values() if case.container == "zip"]
LOGGED = [case.name for case in CASES.values() if "message_hub" in case.sections]
LEGACY = [case.name for case in CASES.values() if case.container == "legacy"]


def few_by_default(names: Iterable[str], *more: object, few: Collection[str] = VARIED) -> list[Any]:
    """Parameters: a few names by default, the others among the thorough tests; then `more`."""
    return [pytest.param(name, *more, marks=() if name in few else pytest.mark.thorough) for name in names]


def run(case: Case, new: Path, family: str = "auto", cfg: str | None = None, **options: Any) -> ConvertReport:
    """Convert a golden checkpoint; the target model is built unless `build=False` is given."""
    return convert(family, cfg or case.new_config, case.old, new, Options(**options))


def statuses(report: ConvertReport) -> dict[str, str]:
    """Status of each rung."""
    assert [verdict.rung for verdict in report.verdicts] == list(Rung)
    return {verdict.rung.value: verdict.status.value for verdict in report.verdicts}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load(path: Path, **options: Any) -> Any:
    """torch.load of a trusted file."""
    import torch

    return torch.load(path, **{"map_location": "cpu", "weights_only": False} | options)


def edited(case: Case, path: Path, change: Callable[[Any], Any]) -> Path:
    """A golden checkpoint with something changed, saved by torch."""
    import torch

    content = load(case.old)
    replacement = change(content)
    torch.save(content if replacement is None else replacement, path)
    return path


def same_bytes(first: Any, second: Any) -> bool:
    """Equal dtype, shape, strides and bits: -0.0 is not 0.0 here, and NaN is itself."""
    import torch

    return (
        first.dtype == second.dtype
        and first.shape == second.shape
        and first.stride() == second.stride()
        and torch.equal(_bits(first), _bits(second))
    )


def _bits(tensor: Any) -> Any:
    import torch

    return tensor.contiguous().reshape(-1).view(torch.uint8)
