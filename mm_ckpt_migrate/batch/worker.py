"""Child only: tasks come in and answers go out, a line of JSON each."""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

from mm_ckpt_migrate.batch.decide import Decider
from mm_ckpt_migrate.batch.find import Found
from mm_ckpt_migrate.batch.item import Signature, item_from_json
from mm_ckpt_migrate.batch.options import batch_from_json
from mm_ckpt_migrate.batch.verdicts import Verdicts
from mm_ckpt_migrate.batch.work import work
from mm_ckpt_migrate.identify.layouts.table import load_table
from mm_ckpt_migrate.mapping.rules.library import load_rules
from mm_ckpt_migrate.releases.current import fork_server
from mm_ckpt_migrate.releases.probe.sandbox import die_with_parent


class Worker:
    """What a process does with each task; for any engine."""

    def __init__(self, setup: dict[str, Any]) -> None:
        self.batch = batch_from_json(setup)
        fork_server.keep()
        self._decider: Decider | None = None

    def answer(self, task: dict[str, Any]) -> Any:
        """Items for inputs that were found, or the outcome for an item."""
        if "item" in task:
            return work(item_from_json(task["item"]), self.batch).to_json()
        return [self.decider.decide(found_from_json(one)).to_json() for one in task["found"]]

    @property
    def decider(self) -> Decider:
        if self._decider is None:
            batch, options = self.batch, self.batch.options
            table = load_table()
            self._decider = Decider(
                folder=batch.sources,
                table=table,
                listed=batch.listed,
                build=options.build,
                publish=options.publish,
                verdicts=Verdicts(load_rules(), table),
            )
        return self._decider


def found_from_json(data: dict[str, Any]) -> Found:
    return Found(data["source"], Signature(**data["signature"]), data["fault"])


def main() -> None:
    """Work until the tasks end. The first line is the batch; an empty line says that all is set."""
    answers = take_answers()
    setup = json.loads(sys.stdin.readline())
    die_with_parent(setup["parent"])
    gc.set_threshold(100_000, 50, 50)  # as the program itself
    worker = Worker(setup)
    _limit(worker.batch.options.memory)
    say(answers, "")
    for line in sys.stdin:
        say(answers, json.dumps(worker.answer(json.loads(line))))
    os._exit(0)


def take_answers() -> Any:
    """Where answers go; what a library prints goes elsewhere from now on, as it is none."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answers


def say(answers: Any, line: str) -> None:
    answers.write(f"{line}\n")
    answers.flush()


def _limit(memory: int) -> None:
    """What is mapped already, and the threads' stacks, count as well: that is little."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + memory
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


if __name__ == "__main__":
    main()
