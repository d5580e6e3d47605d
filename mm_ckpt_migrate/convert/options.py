"""What a conversion may be told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from mm_ckpt_migrate.files.archive.format import Format

# As CFG: the config inside the checkpoint.
EMBEDDED: Final = "embedded"


class Purpose(str, Enum):
    """What a new file is for."""

    RESUME = "resume"
    INFERENCE = "inference"


@dataclass(frozen=True, slots=True)
class Options:
    """Options of `convert` and `plan`.

    Attributes:
        build: build the target model and check against it.
        force: replace an existing destination.
        force_family: use the requested family even where the checkpoint contradicts it.
        reverse: give the old file back.
        plan_file: where to save the plan; in reverse, where to read it.
        format: container of the new file; None keeps the source's.
        check_crc: refuse a zip file without CRCs.
        expected_digest: SHA-256 that the source must have, or the start of it.
        digest_result: compute the new file's SHA-256 as well, while the disk writes it.
        keep_opaque: carry objects of classes that no genuine checkpoint needs.
        allow_imports: packages beside OpenMMLab's that the config may import.
        allow_unconfined: build the config inside the checkpoint even where the system cannot
            confine the code that does.
        purpose: what the new file is for; None carries what is there.
        raw_weights: for inference, take the weights of the last step rather than averaged ones.
        averaged_weights: for inference, take averaged ones and no others.
        keep_as_is: do not simplify what torch.load refuses at its defaults.
        config_out: where to write the target config, migrated where it was for the old release.
        cache: use and fill the schema cache.
        rules: rule files beside the installed ones.
    """

    build: bool = True
    force: bool = False
    force_family: bool = False
    reverse: bool = False
    plan_file: Path | None = None
    format: Format | None = None
    check_crc: bool = True
    expected_digest: str | None = None
    digest_result: bool = False
    keep_opaque: bool = False
    allow_imports: tuple[str, ...] = ()
    allow_unconfined: bool = False
    purpose: Purpose | None = None
    raw_weights: bool = False
    averaged_weights: bool = False
    keep_as_is: bool = False
    config_out: Path | None = None
    cache: bool = True
    rules: tuple[Path, ...] = ()
