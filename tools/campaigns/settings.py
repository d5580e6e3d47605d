"""A hostile value in each setting of each class that may be built: nothing runs, opens, connects.

    python tools/campaigns/settings.py [--settings N] [--seed 0] [--jobs 2] [--kinds NAME,…]
        [--save FILE]

Each config goes the real way: the parent's check, and where that lets it pass, the registry in a
process that has the stack imported and guarded, forked for each build. `settings_watch` says what
is seen there. Without `--settings` all are tried, once each; `--kinds` are those of registries.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import settings_watch as watch
from settings_cases import FOLDER, VALUES, Subject, subjects
from settings_parts import REGISTRIES, builder, import_parts
from tally import Tally, tally_of

from mm_ckpt_migrate.errors import ConfigError
from mm_ckpt_migrate.releases.current.child import build

_TITLE: Final = "Hostile settings of classes that may be built"
_ENDS: Final = {
    watch.BUILT: "built all the same",
    watch.RAISED: "refused by the class or the child",
    watch.TOUCHED: "seen to use the value as code, a file or a name",
}


@dataclass(frozen=True, slots=True)
class Task:
    """The share of one process: every `of`-th class of some kinds, beginning with number `part`."""

    part: int
    of: int
    settings: int | None
    seed: int
    kinds: tuple[str, ...]


def run(task: Task) -> Tally:
    """One share's count."""
    prepare()
    tally = Tally(_TITLE)
    mine = [one for one in subjects() if one.registry in task.kinds][task.part :: task.of]
    chosen = [(subject, setting) for subject in mine for setting in subject.settings]
    if task.settings is not None:
        chosen = random.Random(task.seed).sample(chosen, min(task.settings, len(chosen)))
    for subject in [one for one in mine if any(one is other for other, _ in chosen)]:
        tally.count("classes")
        (right,) = judged(subject, [subject.config])
        tally.count(f"classes: without a hostile value, {right}")
    for subject, setting in chosen:
        tally.count("settings")
        _try(subject, setting, tally)
    return tally


def _try(subject: Subject, setting: str, tally: Tally) -> None:
    verdicts = judged(subject, [{**subject.config, setting: value} for value in VALUES.values()])
    for kind, verdict in zip(VALUES, verdicts, strict=True):
        tally.count("cases")
        tally.count(f"cases: {verdict}")
        if verdict.startswith("seen"):
            tally.accuse(f"{subject.name}.{setting} = {kind}: {verdict}")
    if os.path.exists(FOLDER):
        tally.accuse(f"{subject.name}.{setting}: {FOLDER} was made")


def prepare() -> None:
    """Import both scopes as a child does, with its guard, and leave nothing to be compiled."""
    for scope in ("mmdet", "mmseg"):
        build.import_stack(scope, (), (), ())
        import_parts(scope)
    sys.dont_write_bytecode = True


def judged(subject: Subject, configs: Sequence[Any]) -> list[str]:
    """How each config fares: refused by the parent, built, refused later, or what was seen."""
    verdicts: list[str | None] = []
    builds = []
    for config in configs:
        try:
            builds.append(builder(config, subject.registry, subject.scope))
        except ConfigError:
            verdicts.append("refused by the parent")
        else:
            verdicts.append(None)
    ends = iter(watch.confined(builds, reads=subject.registry == "dataset"))
    return [_said(next(ends)) if verdict is None else verdict for verdict in verdicts]


def _said(ended: int) -> str:
    if ended == -signal.SIGSYS:
        return "seen to start, write or connect"
    return _ENDS.get(ended, "out of time or memory")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--settings", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--kinds", default=",".join(REGISTRIES))
    parser.add_argument("--save", type=Path)
    wanted = parser.parse_args(arguments)
    each = None if wanted.settings is None else -(-wanted.settings // wanted.jobs)
    kinds = tuple(wanted.kinds.split(","))
    tasks = [
        Task(part=part, of=wanted.jobs, settings=each, seed=wanted.seed, kinds=kinds)
        for part in range(wanted.jobs)
    ]
    return tally_of(_TITLE, run, tasks, wanted.jobs).finish(wanted.save)


if __name__ == "__main__":
    sys.exit(main())
