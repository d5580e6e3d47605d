"""A diagnosis, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from mm_ckpt_migrate.identify.layouts.identify import Identity


class Finding(str, Enum):
    """What stands between a checkpoint and the current release."""

    CURRENT = "current"
    """Nothing: it loads as it is."""
    LOADS = "loads"
    """Its names are old, and the current release renames them while it loads them."""
    MIGRATE = "migrate"
    """Its names are old, and rules lead to the current ones."""
    CONFIG = "config"
    """Its names stay, but the config needs a setting."""
    CANNOT = "cannot"
    """The current release builds something else, and no rules lead there."""
    LOOKALIKE = "lookalike"
    """It is of another project."""
    UNKNOWN = "unknown"
    """Nothing that the table or the rules know."""


@dataclass(frozen=True, slots=True)
class Goal:
    """The model in the current release.

    Attributes:
        layout: its number in the table.
    """

    release: str
    config: str
    layout: int


@dataclass(frozen=True, slots=True)
class Order:
    """What becomes of the order of the parameters, by which an optimizer's state is indexed.

    Attributes:
        moved: how many of the parameters have another place.
    """

    moved: int
    parameters: int


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a checkpoint is and what to do with it.

    Attributes:
        family: as the rules recognise it, or a lookalike's name, or None.
        layout: `old`, `new` or `mixed`, where the rules recognise it.
        identity: the shipped model that it is, or is nearest to; None where none is near.
        loads_in: releases that build its layout, or the nearest one.
        goal: the model in the current release; None where that is not known.
        order: None where it is not known.
        needs: settings that the config needs, such as `model.backbone.patch_bias`, and their
            values.
        unknown: new names of parts that no rule of the family knows; only a model of exactly these
            names tells whether it can be migrated.
        evidence: where it differs from what is needed, one line for each group of keys.
        advice: what to do, in a sentence.
    """

    finding: Finding
    advice: str
    family: str | None = None
    layout: str | None = None
    identity: Identity | None = None
    loads_in: tuple[str, ...] = ()
    goal: Goal | None = None
    order: Order | None = None
    needs: Mapping[str, object] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
