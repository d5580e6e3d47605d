"""`Finding`: a fault that an audit found, as a value."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from mm_ckpt_migrate.zoo.metafile import ZooModel


class Severity(str, Enum):
    """How much a finding matters."""

    ERROR = "error"
    """Whoever follows the entry gets wrong numbers, or nothing."""
    WARNING = "warning"
    """It is wrong, or misleads."""


class Check(Enum):
    """Each check: its name, how much its findings matter, and what they say."""

    METAFILE = "metafile", Severity.ERROR, "a metafile cannot be read"
    UNLISTED = "unlisted", Severity.WARNING, "the index forgot a metafile"
    NAME = "name-twice", Severity.WARNING, "several entries have one name"
    CONFIG = "config-missing", Severity.ERROR, "an entry's config is not there"
    MODEL = "model-twice", Severity.ERROR, "a config assigns its model twice"
    DEPTH = "depth", Severity.ERROR, "a config builds another depth than its name says"
    NAMED = "weights-name", Severity.ERROR, "an entry names the weights of another model"
    SHARED = "weights-shared", Severity.WARNING, "several entries name one file"
    OLD = "old-layout", Severity.ERROR, "a file with old names stands in a new release's zoo"
    DROPPED = "dropped-tensors", Severity.ERROR, "trained tensors are dropped in silence"
    OTHER = "other-model", Severity.ERROR, "a config builds another model than the weights are of"
    METRIC = "metric", Severity.WARNING, "README and metafile state different metrics"
    HASH = "hash", Severity.ERROR, "a file's digest is not the one in its name"
    DAMAGED = "damaged", Severity.ERROR, "a file of weights cannot be read"
    SAME = "same-file", Severity.WARNING, "files with different names are the same"

    def __init__(self, label: str, severity: Severity, title: str) -> None:
        self.label = label
        self.severity = severity
        self.title = title


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        entry: name of the zoo's entry, or nothing where it is about a file.
        place: the metafile and line.
        sentence: what is wrong, in words.
        evidence: what shows it.
    """

    check: Check
    entry: str
    place: str
    sentence: str
    evidence: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        names = {"check": self.check.label, "severity": self.check.severity.value}
        return {**asdict(self), **names}


def about(model: ZooModel, check: Check, sentence: str, evidence: tuple[str, ...] = ()) -> Finding:
    """A finding about an entry."""
    place = f"{model.metafile}:{model.line}"
    return Finding(
        check=check, entry=model.name or "(no name)", place=place, sentence=sentence, evidence=evidence
    )


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit looked at, and what it found.

    Attributes:
        release: the release that the zoo is of, such as `mmdet-3.3.0`; None where that is unknown,
            so that nothing can be said of layouts.
        judged: how many entries' weights were compared with what their config builds.
        opened: how many files of weights were opened.
        notes: what was not looked at, and why.
    """

    root: str
    release: str | None
    entries: int
    judged: int
    opened: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "findings": [finding.to_json() for finding in self.findings]}
