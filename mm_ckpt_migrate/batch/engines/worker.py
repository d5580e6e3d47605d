"""Child only: tasks on files behind URLs come in and answers go out, a line of JSON each."""

from __future__ import annotations

import gc
import json
import os
import sys
from typing import Any

from mm_ckpt_migrate.batch.engines.task import Setup, decide, perform, setup_from_json
from mm_ckpt_migrate.batch.worker import found_from_json, say, take_answers
from mm_ckpt_migrate.releases.probe.sandbox import die_with_parent


def answer(task: dict[str, Any], setup: Setup) -> Any:
    """Items for inputs that were found, or the outcome for an item."""
    if "found" in task:
        return [decide(found_from_json(one), setup).to_json() for one in task["found"]]
    return perform(setup.to_json(), task)


def main() -> None:
    """Work until the tasks end; what is fetched is looked into by a process of its own."""
    answers = take_answers()
    given = json.loads(sys.stdin.readline())
    die_with_parent(given["parent"])
    gc.set_threshold(100_000, 50, 50)  # as the program itself
    setup = setup_from_json(given)
    say(answers, "")
    for line in sys.stdin:
        say(answers, json.dumps(answer(json.loads(line), setup)))
    os._exit(0)


if __name__ == "__main__":
    main()
