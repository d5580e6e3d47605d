"""Choose the family of a checkpoint from its keys and from the config inside it; never guess."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mm_ckpt_migrate.configs.values import Config
from mm_ckpt_migrate.convert.checks.roles import contradicts, fits
from mm_ckpt_migrate.errors import FamilyError, UnknownFamilyError
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.identify.diagnosis.written import Written, embedded_config, stranger, written_by
from mm_ckpt_migrate.mapping.rules.detect import Detection, Layout, detect, find_lookalike, layout_of
from mm_ckpt_migrate.mapping.rules.library import Library, family_named
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet

AUTO = "auto"
_GARBAGE: Final = "Under the wrong rules a file may load strictly and compute garbage."


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen family.

    Attributes:
        layout: whether the checkpoint's names are old or new.
        config: the config inside the checkpoint, or None.
        config_fault: why that config could not be read, or None.
        objection: why the choice would have been refused, had it not been forced; else None.
    """

    rules: RuleSet
    layout: Layout
    config: Config | None
    config_fault: str | None
    objection: str | None = None


def choose_family(checkpoint: Checkpoint, requested: str, library: Library, *, force: bool) -> Choice:
    """Settle on one family, or refuse.

    Args:
        requested: a family's name or number, or `auto`.
        force: use the requested family even where the checkpoint contradicts it.

    Raises:
        FamilyError: the checkpoint is of another family, half migrated, or ambiguous.
        UnknownFamilyError: `auto` was requested, and it is of none.
    """
    names = checkpoint.schema.names
    config, fault = embedded_config(checkpoint)
    written = written_by(checkpoint, config)
    detections = detect(names, library.families)
    objection = None
    if requested.lower() == AUTO:
        rules = _only(checkpoint, detections, config, written, library).rules
    else:
        rules = family_named(library.families, requested)
        objection = _objection(rules, checkpoint, detections, written, library)
    objection = objection or _written_objection(rules, written, library)
    objection = objection or _config_objection(rules, names, config, library)
    if objection and not force:
        raise FamilyError(f"{checkpoint.source.path}: {objection.reason}", hint=objection.advice)
    layout = layout_of(rules, [tuple(name.split(".")) for name in names])
    _check_layout(checkpoint, layout)
    assert layout is not None
    return Choice(
        rules=rules,
        layout=layout,
        config=config,
        config_fault=fault,
        objection=objection.reason if objection else None,
    )


@dataclass(frozen=True, slots=True)
class _Objection:
    reason: str
    advice: str


def _only(
    checkpoint: Checkpoint,
    detections: Sequence[Detection],
    config: Config | None,
    written: Written,
    library: Library,
) -> Detection:
    names = checkpoint.schema.names
    if not detections:
        unknown = _unknown(checkpoint, written, library)
        raise UnknownFamilyError(f"{checkpoint.source.path}: {unknown.reason}", hint=unknown.advice)
    if len(detections) > 1 and config is not None:
        detections = [d for d in detections if fits(config, names, d.rules)] or detections
    if len(detections) > 1:
        families = ", ".join(d.rules.family for d in detections)
        raise FamilyError(
            f"{checkpoint.source.path}: its keys fit several families: {families}",
            hint="Name the one it was trained as instead of auto.",
        )
    return detections[0]


def _objection(
    rules: RuleSet,
    checkpoint: Checkpoint,
    detections: Sequence[Detection],
    written: Written,
    library: Library,
) -> _Objection | None:
    if any(detection.rules is rules for detection in detections):
        return None
    if not detections:
        return _unknown(checkpoint, written, library)
    family = detections[0].rules.family
    return _Objection(
        f"this is a {family} checkpoint by its keys, not a {rules.family} one",
        f"Give {family} instead of {rules.family}. {_GARBAGE}",
    )


def _written_objection(rules: RuleSet, written: Written, library: Library) -> _Objection | None:
    found = stranger(written, library, rules)
    if found is None:
        return None
    return _Objection(
        f"this is a {rules.family} checkpoint by its keys, and it was written by {found.name}: "
        f"{found.evidence}",
        found.advice or _GARBAGE,
    )


def _unknown(checkpoint: Checkpoint, written: Written, library: Library) -> _Objection:
    found = stranger(written, library)
    if found is not None:
        return _Objection(f"it was written by {found.name}: {found.evidence}", found.advice)
    lookalike = find_lookalike(checkpoint.schema.names, library.lookalikes)
    if lookalike:
        return _Objection(f"this is {lookalike.name}, not one to migrate", lookalike.advice)
    return _Objection(
        "its keys are those of no family that the rules know",
        "`mm-ckpt-migrate inspect FILE` shows what is inside; most models need no renaming.",
    )


def _config_objection(
    rules: RuleSet, names: Sequence[str], config: Config | None, library: Library
) -> _Objection | None:
    if config is None or not contradicts(config, names, rules):
        return None
    fitting = [other.family for other in library.families if fits(config, names, other)]
    return _Objection(
        f"the config inside it states an operation_order that the rules of {rules.family} are wrong for",
        f"Its order is that of {fitting[0]}."
        if fitting
        else "No family computes in that order; the current release has no counterpart.",
    )


def _check_layout(checkpoint: Checkpoint, layout: Layout | None) -> None:
    path = checkpoint.source.path
    if layout is Layout.MIXED:
        raise FamilyError(
            f"{path}: it has names of the old and of the new layout: it was half migrated",
            hint="Start again from the file that the training run wrote.",
        )
    if layout is None:
        raise FamilyError(
            f"{path}: it has no transformer layers of this family",
            hint="`mm-ckpt-migrate inspect FILE` shows what is inside.",
        )
