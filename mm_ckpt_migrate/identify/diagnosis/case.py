"""What a state dict is judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mm_ckpt_migrate.identify.diagnosis.diagnosis import Goal
from mm_ckpt_migrate.identify.layouts.identify import Identity, identify
from mm_ckpt_migrate.identify.layouts.table import Table
from mm_ckpt_migrate.identify.layouts.vocabulary import Vocabulary, current_vocabulary
from mm_ckpt_migrate.mapping.rules.detect import Detection, detect
from mm_ckpt_migrate.mapping.rules.library import Library
from mm_ckpt_migrate.schema import Schema


@dataclass(frozen=True, slots=True)
class Case:
    """A state dict, and what the table and the rules know of it.

    Attributes:
        identity: the shipped model that it is, or is nearest to; None where none is near.
        goal: that model in the current release; None where that ships none.
        found: the families that recognise it.
    """

    schema: Schema
    library: Library
    table: Table
    identity: Identity | None
    goal: Goal | None
    found: Sequence[Detection]

    @property
    def exact(self) -> bool:
        return self.identity is not None and self.identity.exact

    @property
    def known(self) -> bool:
        """Whether it is that model, but for depth, sizes and counters."""
        return self.identity is not None and self.identity.difference.explained

    @property
    def lacking(self) -> tuple[str, ...]:
        """Where it is only a part of that model, the parts that it lacks."""
        return self.identity.difference.lacking if self.identity else ()

    @property
    def kept(self) -> Goal | None:
        """The goal, where the current release still builds the same layout."""
        if self.identity and self.goal and self.identity.layout == self.goal.layout:
            return self.goal
        return None

    def vocabulary(self) -> Vocabulary:
        """The names of the current releases."""
        return current_vocabulary(self.table)


def open_case(schema: Schema, library: Library, table: Table, names: Sequence[str] = ()) -> Case:
    """Look a state dict up in the table and in the rules.

    Args:
        names: what may begin with the name of its config.
    """
    found = detect(schema.names, library.families)
    identity = identify(schema, table, names, lambda layout: _akin(table, layout, found))
    goal = goal_of(identity, table) if identity else None
    return Case(schema, library, table, identity, goal, found)


def _akin(table: Table, layout: int, found: Sequence[Detection]) -> bool:
    """Whether a layout is of a family that was recognised, where one was."""
    families = [detection.rules for detection in found]
    shared = detect(table.schema(layout).names, families) if families else []
    return not found or any(detection in found for detection in shared)


def goal_of(identity: Identity, table: Table) -> Goal | None:
    """A model in the current release: itself, or else the counterpart of an old config."""
    known = [(identity.release, identity.config), *_others(identity)]
    for release, config in known:
        if table.is_current(release):
            return Goal(release, config, identity.layout)
    for release, config in known:
        if counterpart := table.counterparts[release].get(config):
            current = table.current(release)
            return Goal(current, counterpart, table.releases[current][counterpart])
    return None


def _others(identity: Identity) -> list[tuple[str, str]]:
    return [
        (release, config)
        for release, configs in identity.configs.items()
        for config in sorted(configs, key=lambda name: (len(name), name))
    ]
