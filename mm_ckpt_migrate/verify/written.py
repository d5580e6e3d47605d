"""What is written by a verification: recordings here, and the pages of the report by its caller."""

from __future__ import annotations

import json
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from mm_ckpt_migrate.convert.beside import config_inputs
from mm_ckpt_migrate.files.archive.outputs import Inputs, Output, check_outputs
from mm_ckpt_migrate.verify.options import VerifyOptions
from mm_ckpt_migrate.verify.reference import FORMAT

_RECORDED: Final = {"image.npy", "record.npy"}
_MAX_BYTES: Final = 16 << 20
# What zipfile says of anybody's file: also of names that are no text, and of versions to come.
_NO_ZIP: Final = (OSError, ValueError, NotImplementedError, zipfile.BadZipFile)


def check(new: Path, cfg: str, options: VerifyOptions) -> tuple[str, ...]:
    """Make sure that all of it may be written, before any work, as `check_outputs` does."""
    outputs = []
    if options.record is not None:
        outputs.append(
            Output(
                option="--record",
                path=options.record,
                force=options.force,
                kind="recorded outputs",
                is_kind=_is_record,
            )
        )
    if options.record_metric is not None:
        outputs.append(
            Output(
                option="--record-metric",
                path=options.record_metric,
                force=options.force,
                kind="a recorded result",
                is_kind=_is_metric,
            )
        )
    return check_outputs([*outputs, *options.pages], lambda: _inputs(new, cfg, options))


def _inputs(new: Path, cfg: str, options: VerifyOptions) -> Inputs:
    read = (options.reference, options.recorded, options.legacy_python)
    return {
        "the file that is verified": [new],
        "the source": [options.source] if options.source is not None else [],
        "a file that is read": [*filter(None, read), *options.rules],
        "the config": config_inputs(cfg),
    }


def _is_record(path: Path) -> bool:
    with suppress(*_NO_ZIP), zipfile.ZipFile(path) as file:
        return set(file.namelist()) >= _RECORDED
    return False


def _is_metric(path: Path) -> bool:
    with suppress(OSError, ValueError, RecursionError), path.open("rb") as file:
        content = json.loads(file.read(_MAX_BYTES))
        return isinstance(content, dict) and content.get("format") == FORMAT
    return False
