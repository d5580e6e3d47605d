"""What to do with a checkpoint, in a sentence or two."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

from mm_ckpt_migrate.errors import PlanError
from mm_ckpt_migrate.identify.diagnosis.candidates import Candidate
from mm_ckpt_migrate.identify.diagnosis.diagnosis import Finding, Goal
from mm_ckpt_migrate.identify.layouts.identify import Identity
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet
from mm_ckpt_migrate.names import PARALLEL, fold, safe_text

_SHOWN: Final = 3
HALF_MIGRATED: Final = "It was half migrated; start again from the original."
FOREIGN: Final = (
    "No family of the rules has these keys, and no model of mmdet or mmsegmentation has most of "
    "them; most models need no renaming."
)
USUAL_NAMES: Final = (
    "Nothing to rename: each of its names is that of some model of the current release. Whether a "
    "config of its own fits, only building that tells."
)


def released(release: str) -> str:
    """A release as people write it, such as `mmdet 3.3.0`."""
    return release.replace("-", " ", 1)


def stem(config: str) -> str:
    """A config's name as the command line takes it."""
    return PurePosixPath(config).stem


def prefixed(prefix: str, family: str | None) -> str:
    """What to do with a prefix before every key, where the names behind it need no renaming."""
    before = f"the {prefix!r} before every key"
    if family is not None:
        return f"`convert {family} CFG OLD NEW` takes off {before}."
    if prefix == PARALLEL:
        return f"mmengine takes off {before} itself."
    told = f"revise_keys=[({'^' + re.escape(prefix)!r}, '')]"
    return f"mmengine's load_checkpoint takes off {before} if it is given {told}."


def shipped(goal: Goal, keys: int) -> str:
    return (
        f"Nothing to rename: all {keys} names and shapes are those of {stem(goal.config)} in "
        f"{released(goal.release)}."
    )


def resized(goal: Goal) -> str:
    return (
        f"Nothing to rename: its names are those of {stem(goal.config)} in "
        f"{released(goal.release)}. Its config must say what differs."
    )


def partial(goal: Goal) -> str:
    return (
        "Nothing to rename: it is a part of a model, and all its names and shapes are those in "
        f"{stem(goal.config)} of {released(goal.release)}."
    )


def new_names(rules: RuleSet) -> str:
    return f"Nothing to rename: its names are those of {rules.released_to}."


def new_and_other_names(rules: RuleSet) -> str:
    return (
        f"It has names of {rules.released_to}, and others that no model of the current release "
        "has: whether a config of its own fits, only building that tells."
    )


def nearest(identity: Identity) -> str:
    return (
        f"No rule renames any of its keys. It is nearest to {stem(identity.config)} of "
        f"{released(identity.release)}, and differs: whether a config of its own fits, only "
        "building that tells."
    )


def gone(release: str) -> str:
    return (
        f"No rule renames any of its keys, and {released(release)} ships no config for it: whether "
        "one of your own fits, only building that tells."
    )


def loads(goal: Goal, *, exact: bool) -> str:
    into = f" into {stem(goal.config)}" if exact else ""
    return f"Nothing to do: {released(goal.release)} renames its keys while it loads them{into}."


def other(goal: Goal, kin: str | None = None) -> str:
    name = f"{stem(goal.config)} of {released(goal.release)}"
    text = f"{name} builds another model, and no rules lead to it"
    if kin is None:
        return f"{text}."
    return f"{text}. No name changed: a config like {stem(kin)}, with its sizes, builds the old one."


def several(candidates: Sequence[Candidate]) -> str:
    families = ", ".join(candidate.rules.family for candidate in candidates)
    return f"Its keys fit several families: {families}. Name the one it was trained as."


def unfit(error: PlanError) -> str:
    return f"It cannot be migrated: {error.message}."


def unknown_parts(candidate: Candidate) -> str:
    family, parts = candidate.rules.family, fold(candidate.unknown)
    shown = safe_text(", ".join(parts[:_SHOWN]))
    more = f" and {len(parts) - _SHOWN} more" if len(parts) > _SHOWN else ""
    return (
        f"It has parts that no rule of {family} knows: {shown}{more}. "
        f"Where its config builds them, that model settles whether it can be migrated: "
        f"mm-ckpt-migrate convert {family} CFG OLD NEW."
    )


def migration(finding: Finding, candidate: Candidate, goal: Goal | None, *, exact: bool) -> str:
    """The command that migrates, or the setting that is all it needs."""
    if finding is Finding.UNKNOWN:
        return unknown_parts(candidate)
    if finding is Finding.CONFIG:
        whys = " and ".join(need.why for need in candidate.needs.values())
        settings = ", ".join(f"{path}={value}" for path, value in candidate.settings.items())
        return f"Nothing to rename, but the config needs {settings}: {whys}."
    config = stem(goal.config) if goal and exact else "CFG"
    command = f"mm-ckpt-migrate convert {candidate.rules.family} {config} OLD NEW"
    if finding is Finding.LOADS and goal is not None:
        return f"{loads(goal, exact=exact)} For a file with the new names: {command}."
    return f"Migrate it: {command}."
