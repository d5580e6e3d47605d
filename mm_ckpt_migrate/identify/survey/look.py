"""Look into a file, and judge what is in it."""

from __future__ import annotations

from collections import Counter
from math import prod
from pathlib import Path, PurePosixPath
from typing import Any, Final

from mm_ckpt_migrate.files.archive.digest import named_digest
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.files.checkpoint.open import read_content
from mm_ckpt_migrate.files.checkpoint.policy import foreign
from mm_ckpt_migrate.files.checkpoint.weights_only import refused_globals
from mm_ckpt_migrate.files.pickles.garbage import uncollected
from mm_ckpt_migrate.files.pickles.parse import Parsed
from mm_ckpt_migrate.identify.diagnosis.advice import prefixed
from mm_ckpt_migrate.identify.diagnosis.diagnosis import Diagnosis, Finding
from mm_ckpt_migrate.identify.diagnosis.download import Download, find_download
from mm_ckpt_migrate.identify.diagnosis.judge import diagnose
from mm_ckpt_migrate.identify.diagnosis.written import read_written
from mm_ckpt_migrate.identify.layouts.table import load_table
from mm_ckpt_migrate.identify.survey.read import experiments, may_hold_frozen_groups, open_read, root_sections
from mm_ckpt_migrate.identify.survey.survey import Survey
from mm_ckpt_migrate.mapping.rules.library import Library

_NOTHING: Final = "There is no state dict that could be migrated."


def survey(path: Path, library: Library, *, check_crc: bool = True) -> Survey:
    """Look into a file without executing anything in it.

    Raises:
        CheckpointError: the container is damaged or no checkpoint's.
    """
    with Source(path) as source, uncollected():
        source.start_digest()
        content = read_content(source, check_crc=check_crc)
        parsed = content.parsed
        root = parsed.root if parsed else None
        refused = refused_globals(parsed.made.names) if parsed else ()
        checkpoint, fault = open_read(source, content)
        sections = root_sections(root) if root else ()
        digest = source.digest()
        download = find_download(path.name, digest, load_table())
        return Survey(
            path=str(path),
            format=content.kind.value,
            file_size=source.size,
            sha256=digest,
            name_hash=_name_hash(path, digest),
            sections=sections,
            **_content(checkpoint),
            has_optimizer="optimizer" in sections,
            has_ema="ema_state_dict" in sections,
            frozen_groups=may_hold_frozen_groups(root, checkpoint),
            **_judgement(checkpoint, _diagnose(checkpoint, library, path, download)),
            download=download,
            weights_only=not refused,
            refused_globals=refused,
            foreign=_foreign(checkpoint, parsed),
            fault=fault,
        )


def _foreign(checkpoint: Checkpoint | None, parsed: Parsed | None) -> tuple[str, ...]:
    if checkpoint is not None and checkpoint.tree is not None:
        return checkpoint.tree.foreign
    return tuple(foreign(parsed)) if parsed else ()


def _content(checkpoint: Checkpoint | None) -> dict[str, Any]:
    """What there is to say of a checkpoint, by the names in a survey."""
    tensors = checkpoint.tensors.values() if checkpoint else ()
    return {
        "tensors": len(tensors),
        "elements": sum(prod(tensor.spec.shape) for tensor in tensors),
        "size": sum(e.size for e in checkpoint.extents.values()) if checkpoint else 0,
        # Not a Counter, which `asdict` would count the items of.
        "dtypes": dict(Counter(tensor.spec.dtype for tensor in tensors)),
        "ties": len(checkpoint.schema.ties) if checkpoint else 0,
        "has_config": bool(checkpoint and checkpoint.config),
        "has_metadata": bool(checkpoint and checkpoint.schema.modules),
        "versions": checkpoint.versions if checkpoint else {},
        "stamp": _stamp(checkpoint),
        "prefix": checkpoint.prefix if checkpoint else "",
    }


def _judgement(checkpoint: Checkpoint | None, found: Diagnosis | None) -> dict[str, Any]:
    advice = found.advice if found else _NOTHING
    if checkpoint and checkpoint.prefix and found and found.finding is Finding.CURRENT:
        advice += f" {prefixed(checkpoint.prefix, found.family)}"
    return {
        "family": found.family if found else None,
        "layout": found.layout if found else None,
        "advice": advice,
        "diagnosis": found,
    }


def _diagnose(
    checkpoint: Checkpoint | None, library: Library, path: Path, download: Download | None
) -> Diagnosis | None:
    if checkpoint is None:
        return None
    names = [path.name, *experiments(checkpoint)]
    if download is not None:
        names.append(PurePosixPath(download.config).name)
    written = read_written(checkpoint)
    return diagnose(checkpoint.schema, library, load_table(), names, written)


def _name_hash(path: Path, digest: str) -> bool | None:
    named = named_digest(path.name)
    return digest.startswith(named) if named else None


def _stamp(checkpoint: Checkpoint | None) -> dict[str, str] | None:
    if checkpoint is None or checkpoint.stamp is None:
        return None
    stamp = checkpoint.stamp.items()
    return {key: str(value) for key, value in stamp if key not in ("plan", "configs", "added")}
