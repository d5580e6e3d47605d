"""A survey as lines of text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mm_ckpt_migrate.cli.diagnosis import diagnosis_lines, download_line
from mm_ckpt_migrate.identify.survey import Survey
from mm_ckpt_migrate.names import safe_text

_SHOWN: Final = 20


def facts_of(found: Survey) -> dict[str, str]:
    """What, and its value, in reading order; what does not apply is left out."""
    dtypes = ", ".join(f"{count} {dtype}" for dtype, count in found.dtypes.items())
    lines = {
        "file": safe_text(found.path),
        "format": f"{found.format}, {found.file_size:,} bytes",
        "sha256": found.sha256 + _name_hash(found),
        "sections": ", ".join(map(safe_text, found.sections)),
        "tensors": f"{found.tensors} ({dtypes}), {found.elements:,} elements, {found.size:,} bytes",
        "tied": f"{found.ties} groups of names share a tensor" if found.ties else "",
        "inside": ", ".join(_contents(found)),
        "prefix": f"{found.prefix} before every key" if found.prefix else "",
        "written by": _some([f"{name} {version}" for name, version in found.versions.items()]),
        "family": _family(found),
        "download": download_line(found.download),
        **diagnosis_lines(found.diagnosis, frozen_groups=found.frozen_groups),
        "migrated": _stamp(found),
        "torch.load": _weights_only(found),
        "unknown names": _some(found.foreign),
        "fault": safe_text(found.fault or "", 400),
        "what to do": found.advice,
    }
    return {name: text for name, text in lines.items() if text}


def _name_hash(found: Survey) -> str:
    if found.name_hash is None:
        return ""
    return " (as the file's name says)" if found.name_hash else " (NOT what the file's name says)"


def _contents(found: Survey) -> list[str]:
    present = {
        "a config": found.has_config,
        "module versions": found.has_metadata,
        "an optimizer": found.has_optimizer,
        "averaged weights": found.has_ema,
    }
    return [name for name, there in present.items() if there] or ["tensors only"]


def _family(found: Survey) -> str:
    if found.family is None:
        shipped = found.diagnosis is not None and found.diagnosis.identity is not None
        return "" if shipped else "not recognised"
    return f"{found.family} ({found.layout} layout)" if found.layout else found.family


def _stamp(found: Survey) -> str:
    if found.stamp is None:
        return ""
    tool, source = (found.stamp.get(name, "?") for name in ("tool", "source_sha256"))
    return f"by {safe_text(tool)}, from {safe_text(source)}"


def _weights_only(found: Survey) -> str:
    if found.weights_only:
        return "takes it at its defaults (weights_only=True)"
    return f"refuses it at its defaults (weights_only=True): {_some(found.refused_globals)}"


def _some(names: Sequence[str]) -> str:
    """As many as a person reads: a file may have a hundred thousand."""
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(map(safe_text, names[:_SHOWN])) + more
