"""Child only: items come in and outcomes go out, a line of JSON each."""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

from mm_ckpt_migrate.batch.model import Action, Item, Signature
from mm_ckpt_migrate.batch.options import options_from_json
from mm_ckpt_migrate.batch.work import work


def main() -> None:
    """Work until the items end. The first line says where, and with which options."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no outcome
    setup = json.loads(sys.stdin.readline())
    sources, results = Path(setup["sources"]), Path(setup["results"])
    options = options_from_json(setup["options"])
    _limit(options.memory)
    for line in sys.stdin:
        outcome = work(item_from_json(json.loads(line)), sources, results, options)
        answers.write(json.dumps(outcome.to_json()) + "\n")
        answers.flush()
    os._exit(0)


def _limit(memory: int) -> None:
    """What is mapped already, and the threads' stacks, count as well: that is little."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + memory
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))


def item_from_json(data: dict[str, Any]) -> Item:
    signature = Signature(**data["signature"])
    return Item(**{**data, "action": Action(data["action"]), "signature": signature})


if __name__ == "__main__":
    main()
