"""A diagnosis as lines of text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mm_ckpt_migrate.identify.diagnosis.advice import released, stem
from mm_ckpt_migrate.identify.diagnosis.diagnosis import Diagnosis, Finding
from mm_ckpt_migrate.identify.diagnosis.download import Download
from mm_ckpt_migrate.identify.layouts.difference import Difference
from mm_ckpt_migrate.identify.layouts.identify import Identity
from mm_ckpt_migrate.names import safe_text

_MAX_LINES: Final = 3
_MAX_WIDTH: Final = 2000


def diagnosis_lines(found: Diagnosis | None, *, frozen_groups: bool) -> dict[str, str]:
    """What, and its value; what does not apply is empty."""
    if found is None:
        return {}
    return {
        "model": _model(found),
        "loads as is in": _loads_in(found),
        "now": _goal(found),
        "but": _few(found.evidence) if found.finding is Finding.CANNOT else "",
        "resume": _resume(found, frozen_groups),
    }


def download_line(found: Download | None) -> str:
    """Which file of a zoo it is, and what is there in its place."""
    if found is None:
        return ""
    name = f"{stem(found.config)} of {released(found.release)}"
    if not found.replaced:
        return f"the zoo's, of {name}" + ("" if found.current else "; no longer listed")
    how = {None: "", True: " (trained anew)", False: " (the same weights, renamed)"}
    return f"the zoo's, of {name}; replaced by {', '.join(found.current)}{how[found.retrained]}"


def _model(found: Diagnosis) -> str:
    identity = found.identity
    if identity is None:
        return ""
    name = f"{stem(identity.config)} of {released(identity.release)}"
    change = identity.difference
    if identity.exact:
        return name + _others(identity)
    if change.lacking:
        return f"a part of {name}, without {', '.join(change.lacking)}"
    if change.of_classes:
        return f"{name}, with another number of classes: {_few(change.lines())}"
    if change.explained:
        return f"{name}, with other sizes or layers: {_summary(change)}"
    return f"nearest is {name}: {_summary(change)}"


def _summary(change: Difference) -> str:
    """The differences, or how many there are."""
    if len(change.lines()) <= _MAX_LINES:
        return _few(change.lines())
    counts = {"missing": change.missing, "unexpected": change.unexpected, "of another shape": change.reshaped}
    return ", ".join(f"{len(keys)} keys {what}" for what, keys in counts.items() if keys)


def _others(identity: Identity) -> str:
    """The other configs that build the same: the shortest of each other folder, and how many."""
    configs = sorted(identity.configs[identity.release], key=lambda name: (len(name), name))
    folders = {config.partition("/")[0]: stem(config) for config in reversed(configs)}
    del folders[identity.config.partition("/")[0]]
    others = "".join(f", or {name}" for name in list(folders.values())[:_MAX_LINES])
    more = len(configs) - 1 - min(len(folders), _MAX_LINES)
    return others + (f", or {more} more of the same layout" if more else "")


def _loads_in(found: Diagnosis) -> str:
    identity = found.identity
    if identity is None or not (identity.exact or identity.difference.explained):
        return ""
    such = "" if identity.exact else ", with a config to match"
    return ", ".join(map(released, found.loads_in)) + such


def _goal(found: Diagnosis) -> str:
    goal = found.goal
    if goal is None or found.finding is Finding.CURRENT:
        return ""
    like = "" if found.identity and found.identity.exact else "like "
    return f"{like}{stem(goal.config)} of {released(goal.release)}"


def _resume(found: Diagnosis, frozen_groups: bool) -> str:
    texts = []
    if order := found.order:
        moves = f"{order.moved} of {order.parameters} parameters move"
        texts.append(moves if order.moved else "parameters keep their order")
    if frozen_groups:
        texts.append("groups of frozen parameters must go: mmengine makes none since 0.10.4")
    return "; ".join(texts)


def _few(lines: Sequence[str]) -> str:
    shown = "; ".join(lines[:_MAX_LINES])
    more = f"; and {len(lines) - _MAX_LINES} more" if len(lines) > _MAX_LINES else ""
    return safe_text(shown, _MAX_WIDTH) + more
