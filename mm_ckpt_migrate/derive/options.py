"""The settings of a derivation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DeriveOptions:
    """Options of `derive`.

    Attributes:
        family: the new family's name.
        old_config: the old model's config, as a path or a shipped name; None takes the one inside.
        out: where the rule file will be written, which is checked before anything is read.
        force: replace it.
        legacy: let the old release settle what is undecided.
        legacy_python: a Python that has one; None takes what `verify` would.
        check_crc, allow_imports, allow_unconfined, cache: as for `convert`.
    """

    family: str = "derived"
    old_config: str | None = None
    out: Path | None = None
    force: bool = False
    legacy: bool = False
    legacy_python: Path | None = None
    check_crc: bool = True
    allow_imports: tuple[str, ...] = ()
    allow_unconfined: bool = False
    cache: bool = True
