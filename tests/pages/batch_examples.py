"""Batches to look at: a large one of all kinds with hostile names, a whole one, an empty one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from report_examples import EVIL, all_rungs

from mm_ckpt_migrate.batch.item import Action, Item, Outcome, Signature, Status
from mm_ckpt_migrate.batch.report import Result
from mm_ckpt_migrate.errors import ExitCode
from mm_ckpt_migrate.verdicts import Rung, Verdict, failed, passed, skipped

# What file systems let a name be: markup, what turns text around, bytes that are no UTF-8, an
# address, an attribute's end, the longest that there is, a line's end, and one that is blank.
HOSTILE = (
    f"{EVIL.replace('/', '')}.pth",
    "x\udcff\udce4.pth",
    "javascript:alert(1).pth",
    '" onmouseover="alert(1).pth',
    "</code></table><img src=x onerror=alert(1)>.pth",
    f"{'long' * 62}.pth",
    "two\nlines\r.pth",
    "\u00a0.pth",
    "#f-1&amp;{{ 7*7 }}%20.pth",
    "עברית.pth",
    "__proto__.pth",
    "constructor.pth",
)
FAMILIES = ("mask2former", "maskformer", "detr", "deformable_detr", "dino")


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def item(source: str, action: Action = Action.MIGRATE, size: int = 176_000_000, **of: str) -> Item:
    made = "" if action is Action.REFUSE else source
    told = {
        "reason": "its names are those of an older release",
        "family": "mask2former",
        "config": "mmseg::mask2former/mask2former_r50_8xb2-160k_ade20k-512x512.py",
        "paired": "the zoo's name of the file",
    } | of
    return Item(
        source, made, action, signature=Signature(device=1, inode=2, size=size, modified=3, changed=4), **told
    )


def verdicts() -> tuple[Verdict, ...]:
    """What `convert` says: the last three need more than it has."""
    later = [skipped(rung, "not run by convert") for rung in list(Rung)[3:]]
    return (*all_rungs()[:3], *later)


def migrated(source: str, number: int) -> tuple[Item, Outcome]:
    family = FAMILIES[number % len(FAMILIES)]
    moved = 100 + number % 37
    notices = ("the optimizer's state was carried: 3 groups",) if number % 9 == 0 else ()
    return item(source, size=1_000_000 * number + 512, family=family), Outcome(
        status=Status.MIGRATED,
        summary=f"{family}: {moved} names changed, integrity, keys, roles pass",
        destination=source,
        digest=digest(source),
        result=digest(source + "new"),
        verdicts=verdicts(),
        notices=notices,
        facts={"moved": moved, "kept": 380, "dropped": 0},
    )


def copied(source: str) -> tuple[Item, Outcome]:
    reason = "It is of the current release already; load it as it is."
    found = item(source, Action.COPY, reason=reason, family="", config="", paired="")
    return found, Outcome(
        status=Status.COPIED,
        summary=f"copied: {reason}",
        destination=source,
        digest=digest(source),
        result=digest(source),
    )


def refused(source: str) -> tuple[Item, Outcome]:
    reason = f"{source}: its pickle calls os.system, which no checkpoint needs"
    found = item(source, Action.REFUSE, 913, reason=reason, family="", config="", paired="")
    return found, Outcome(Status.REFUSED, reason, exit_code=int(ExitCode.BAD_CHECKPOINT))


def unproven(source: str) -> tuple[Item, Outcome]:
    """Refused by its proofs."""
    details = [f"decode_head.extra.{n}{EVIL}" for n in range(130)]
    found = (
        passed(Rung.INTEGRITY, "all bytes are there"),
        failed(Rung.KEYS, f"130 names are left over {EVIL}", details),
        skipped(Rung.ROLES, "the keys failed"),
    )
    return item(source, family="maskformer", config=EVIL), Outcome(
        status=Status.REFUSED,
        summary=f"130 names are left over {EVIL}",
        digest=digest(source),
        exit_code=int(ExitCode.KEYS_FAILED),
        verdicts=found,
        notices=(EVIL,),
    )


def lost(source: str) -> tuple[Item, Outcome]:
    return item(source, family="dino"), Outcome(
        Status.FAILED,
        "its worker died 2 times, of the memory it took, of the 1800 seconds it may take, or was killed",
        exit_code=int(ExitCode.INTERNAL),
    )


def one(source: str, number: int) -> tuple[Item, Outcome]:
    kinds = {0: copied, 1: copied, 2: refused, 3: unproven}
    if number % 101 == 50:
        return lost(source)
    return kinds[number % 12](source) if number % 12 in kinds else migrated(source, number)


def report(outcomes: Iterable[tuple[Item, Outcome]]) -> dict[str, Any]:
    """What is read from the `batch.json` of these."""
    found: dict[str, Any] = json.loads(json.dumps(Result(tuple(outcomes)).to_json()))
    return found


def large(count: int = 1000) -> dict[str, Any]:
    names = [f"mask2former/run_{n % 40}/iter_{1000 * n}.pth" for n in range(count - len(HOSTILE))]
    named = sorted([*names, *(f"odd names/{name}" for name in HOSTILE)])
    return report(one(name, number) for number, name in enumerate(named))


def whole() -> dict[str, Any]:
    return report((migrated("a.pth", 5), copied("b.pth")))


def sources(data: dict[str, Any], status: str) -> list[str]:
    """Of the inputs with that status."""
    return [e["source"] for e in data["entries"] if e["outcome"]["status"] == status]
