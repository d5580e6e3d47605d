"""The ladder as the page shows it: always six rungs, and what may be said of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mm_ckpt_migrate.verdicts import Rung, Status, Verdict, skipped

PROVES: Final = {
    Rung.INTEGRITY: "every byte of every weight is the source’s; each tensor went to one place.",
    Rung.KEYS: "the strict load accepts the file: names, shapes and dtypes are the model’s.",
    Rung.ROLES: "which attention is self and which is cross is what the config says.",
    Rung.FORWARD: "old and new code give the same raw outputs, and a wrong mapping does not.",
    Rung.RESUME: "the next steps of the training give the same losses.",
    Rung.METRIC: "the score on the data set is the same.",
}

_COUNTS: Final = ("None", "One", "Two", "Three", "Four", "Five", "Six")


def six_rungs(verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """A verdict for every rung, in order; one that nobody gave is skipped."""
    given = {verdict.rung: verdict for verdict in verdicts}
    return tuple(given.get(rung) or skipped(rung, "not run by this command") for rung in Rung)


def lacking(verdicts: Sequence[Verdict], required: Sequence[Rung]) -> tuple[Rung, ...]:
    """Rungs that were required and skipped: a failure, as nobody knows."""
    skipped_ones = {v.rung for v in six_rungs(verdicts) if v.status is Status.SKIPPED}
    return tuple(rung for rung in Rung if rung in required and rung in skipped_ones)


def overall(verdicts: Sequence[Verdict], required: Sequence[Rung] = ()) -> str:
    """How the verdict looks: as a pass when all rungs passed, and never when one was skipped."""
    found = {verdict.status for verdict in six_rungs(verdicts)}
    if Status.FAIL in found or lacking(verdicts, required):
        return "fail"
    if Status.PASS not in found:
        return "skipped"
    return "partial" if Status.SKIPPED in found else "pass"


def sentence(verdicts: Sequence[Verdict], required: Sequence[Rung] = ()) -> str:
    """The verdict in one line. Rungs that were skipped are named, as they prove nothing."""
    rungs = six_rungs(verdicts)
    good, bad, missing = ([v.rung for v in rungs if v.status is status] for status in Status)
    wanted = lacking(verdicts, required)
    if len(good) == len(rungs):
        return "All six rungs passed."
    if len(missing) == len(rungs) and not wanted:
        return "Nothing was proven: all six rungs were skipped."
    faults = [_listed(bad)] if bad else []
    faults += [f"{_listed(wanted)} {_were(wanted)} required and skipped"] if wanted else []
    text = f"{_COUNTS[len(good)]} of six rungs passed, none failed"
    if faults:
        text = f"Failed: {'; '.join(faults)}. {_COUNTS[len(good)]} passed"
    others = [rung for rung in missing if rung not in wanted]
    if not others:
        return text + "."
    return f"{text}; {_listed(others)} {_were(others)} skipped and so not proven."


def _listed(rungs: Sequence[Rung]) -> str:
    names = [rung.value for rung in rungs]
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _were(rungs: Sequence[Rung]) -> str:
    return "was" if len(rungs) == 1 else "were"
