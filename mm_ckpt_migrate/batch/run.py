"""`batch`: plan, work, account; with the same arguments as the command."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from mm_ckpt_migrate.archive.publish import Draft
from mm_ckpt_migrate.archive.source import Source
from mm_ckpt_migrate.batch.decide import Decider, without_collisions
from mm_ckpt_migrate.batch.find import find_checkpoints, signature
from mm_ckpt_migrate.batch.journal import Journal, open_journal
from mm_ckpt_migrate.batch.lock import locked
from mm_ckpt_migrate.batch.model import Action, Item, Outcome, Signature, Status
from mm_ckpt_migrate.batch.options import BatchOptions
from mm_ckpt_migrate.batch.pool import Pool
from mm_ckpt_migrate.errors import DestinationError, MigrateError
from mm_ckpt_migrate.layouts.table import load_table
from mm_ckpt_migrate.options import EMBEDDED
from mm_ckpt_migrate.ruleset.library import Library, load_rules

STATE: Final = ".mm-ckpt-migrate"
REPORT: Final = "batch.json"


class Watcher(Protocol):
    """Told what happens; it shows it, or does not."""

    def planned(self, items: Sequence[Item]) -> None: ...
    def started(self, item: Item, worker: int) -> None: ...
    def ended(self, item: Item, outcome: Outcome, *, before: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class Result:
    """What became of every input, in the order of their names."""

    outcomes: tuple[tuple[Item, Outcome], ...]

    @property
    def complete(self) -> bool:
        return all(outcome.done for _, outcome in self.outcomes)

    def to_json(self) -> dict[str, Any]:
        entries = [{**i.to_json(), "outcome": o.to_json()} for i, o in self.outcomes]
        counts = {s.value: sum(o.status is s for _, o in self.outcomes) for s in Status}
        return {"inputs": len(entries), "counts": counts, "entries": entries}


def plan_batch(
    sources: Path, results: Path, options: BatchOptions, listed: Mapping[str, Sequence[str]]
) -> tuple[Item, ...]:
    """Decide on every checkpoint below `sources`; nothing is written.

    Args:
        listed: configs by the file names that a metafile gives them.

    Raises:
        CheckpointError: `sources` is no folder that can be listed.
        RuleError: a rule file is malformed.
    """
    decider = Decider(sources, load_rules(), load_table(), listed, options.build)
    found = list(find_checkpoints(sources, without=results))
    return tuple(without_collisions(decider.decide(name, known) for name, known in found))


def run_batch(
    sources: Path,
    results: Path,
    options: BatchOptions,
    listed: Mapping[str, Sequence[str]],
    *,
    jobs: int,
    watcher: Watcher,
) -> Result:
    """Plan, do what was not done before, and write the report.

    Raises:
        CheckpointError, RuleError: as `plan_batch`.
        DestinationError: the folder of the results cannot be written, or another batch is there.
    """
    state = _state_folder(results)
    with locked(state / "lock"), open_journal(state / "journal.sqlite") as journal:
        items = plan_batch(sources, results, options, listed)
        watcher.planned(items)
        keys = _keys(items, options, load_rules())
        outcomes: dict[str, Outcome] = {}
        for item in items:
            if item.action is Action.REFUSE:
                outcomes[item.source] = Outcome(Status.REFUSED, item.reason)
            elif before := _done_before(item, journal, keys[item.source], sources, results):
                outcomes[item.source] = before
                watcher.ended(item, before, before=True)
        left = [item for item in items if item.source not in outcomes]
        with Pool(sources, results, options, min(jobs, len(left)), watcher.started) as pool:
            for item, outcome in pool.run(left):
                outcomes[item.source] = outcome
                if outcome.done:
                    journal.record(item, keys[item.source], outcome)
                watcher.ended(item, outcome, before=False)
        result = Result(tuple((item, outcomes[item.source]) for item in items))
        _write_report(results / REPORT, result)
    return result


def _state_folder(results: Path) -> Path:
    try:
        (results / STATE).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DestinationError(
            results, f"the folder of the results cannot be made: {error.strerror}",
            hint="Choose another one.",
        ) from error  # fmt: skip
    return results / STATE


def _keys(items: Iterable[Item], options: BatchOptions, library: Library) -> dict[str, str]:
    """For each input, the digest of all that decides on its result but its own bytes."""
    rules = hashlib.sha256(" ".join(r.digest for r in library.families).encode()).hexdigest()
    base = options.digest(rules)
    configs: dict[str, str] = {}
    for item in items:
        if item.config not in configs:
            configs[item.config] = _config_digest(item.config)
    return {item.source: _key(item, base, configs[item.config]) for item in items}


def _key(item: Item, base: str, config: str) -> str:
    parts = (base, config, item.action.value, item.destination, item.family, item.config)
    return hashlib.sha256(os.fsencode("\0".join(parts))).hexdigest()


def _config_digest(config: str) -> str:
    """Of a config's values, with those of the files that it inherits from."""
    from mm_ckpt_migrate.configs.find import find_config
    from mm_ckpt_migrate.configs.read import read_config

    if config in ("", "-", EMBEDDED):
        return ""
    try:
        values = repr(read_config(find_config(config)))
    except MigrateError as error:
        values = error.message  # its own conversion says so
    return hashlib.sha256(values.encode()).hexdigest()


def _done_before(
    item: Item, journal: Journal, key: str, sources: Path, results: Path
) -> Outcome | None:
    outcome = journal.find(item, key)
    if outcome is None:
        return None
    source, result = sources / item.source, results / item.destination
    if not _is(result, outcome.written, outcome.result):
        return None
    return outcome if _is(source, outcome.read, outcome.digest) else None


def _is(path: Path, known: Signature | None, digest: str) -> bool:
    """Whether a file still is what it was: not written to since, or with the same bytes."""
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            status = path.stat()
        if known is not None and signature(status) == known:
            return True
        with Source(path) as source:
            return bool(digest) and source.digest() == digest
    except (OSError, MigrateError):
        return False


def _write_report(path: Path, result: Result) -> None:
    text = json.dumps(result.to_json(), indent=1) + "\n"
    with Draft(path, 0o644) as draft:
        draft.write(0, text.encode())
        draft.publish(force=True)
