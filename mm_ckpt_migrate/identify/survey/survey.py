"""A survey, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mm_ckpt_migrate.identify.diagnosis.diagnosis import Diagnosis
from mm_ckpt_migrate.identify.diagnosis.download import Download


@dataclass(frozen=True, slots=True)
class Survey:
    """What a file is and holds.

    Attributes:
        name_hash: whether the eight hex digits in the file's name are its own digest's; None where
            the name has none.
        sections: the root's entries.
        tensors, elements, size: of the state dict: entries, elements, and bytes of all storages.
        dtypes: entries by element type.
        frozen_groups: whether the optimizer may hold groups of frozen parameters, which mmengine
            makes no more since 0.10.4, so that resuming needs them gone.
        prefix: what wrappers of the model put before every key; empty where they put nothing there.
        family: as recognised, or the lookalike's name, or None.
        layout: `old`, `new` or `mixed`, or None.
        advice: what to do with it, in a sentence.
        diagnosis: which model it is, and what leads to the current release; None without a state
            dict.
        download: the zoo's file that it is, or None.
        weights_only: whether torch.load at its defaults takes it.
        refused_globals: names that `weights_only` refuses.
        foreign: names that no checkpoint of OpenMMLab needs.
        fault: why there is no state dict to show, or None.
    """

    path: str
    format: str
    file_size: int
    sha256: str
    name_hash: bool | None
    sections: tuple[str, ...]
    tensors: int
    elements: int
    size: int
    dtypes: Mapping[str, int]
    ties: int
    has_config: bool
    has_metadata: bool
    has_optimizer: bool
    has_ema: bool
    frozen_groups: bool
    versions: Mapping[str, str]
    stamp: Mapping[str, str] | None
    prefix: str
    family: str | None
    layout: str | None
    advice: str
    diagnosis: Diagnosis | None
    download: Download | None
    weights_only: bool
    refused_globals: tuple[str, ...]
    foreign: tuple[str, ...]
    fault: str | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
