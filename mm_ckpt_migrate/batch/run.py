"""`batch`: plan, work, account; with the same arguments as the command."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from mm_ckpt_migrate.archive.publish import as_destination_error
from mm_ckpt_migrate.batch.before import Before
from mm_ckpt_migrate.batch.decide import refuse, without_collisions
from mm_ckpt_migrate.batch.engine import Engine, EngineMaker
from mm_ckpt_migrate.batch.find import Found, find_checkpoints, find_named
from mm_ckpt_migrate.batch.journal import Journal, open_journal
from mm_ckpt_migrate.batch.keys import item_keys, plan_key, rules_digest
from mm_ckpt_migrate.batch.lock import locked
from mm_ckpt_migrate.batch.model import Action, Item, Outcome, Status
from mm_ckpt_migrate.batch.options import Batch
from mm_ckpt_migrate.batch.pool import Pool
from mm_ckpt_migrate.batch.publish import ZOO, publish, without_twins
from mm_ckpt_migrate.batch.report import Result, write_report
from mm_ckpt_migrate.errors import DestinationError


class Watcher(Protocol):
    """Told what happens; it shows it, or does not."""

    def found(self, count: int, undecided: int) -> None: ...
    def decided(self, item: Item) -> None: ...
    def planned(self, items: Sequence[Item], left: Sequence[Item]) -> None: ...
    def started(self, item: Item, worker: int) -> None: ...
    def ended(self, item: Item, outcome: Outcome) -> None: ...


def plan_batch(
    batch: Batch, *, jobs: int, watcher: Watcher, engine: EngineMaker = Pool
) -> tuple[Item, ...]:
    """Decide on every checkpoint; nothing is written.

    Raises:
        CheckpointError: the folder of the sources cannot be listed.
        DestinationError: the sources lie among the results.
        WorkerError: no worker can be started.
    """
    _check_places(batch)
    with engine(batch, jobs, watcher.started, ()) as workers:
        found = _found(batch)
        watcher.found(len(found), len(found))
        return _planned(_decided(found, workers, watcher))


def run_batch(
    batch: Batch,
    *,
    jobs: int,
    watcher: Watcher,
    engine: EngineMaker = Pool,
    page: Callable[[Path, Mapping[str, Any]], None] | None = None,
) -> Result:
    """Plan, do what was not done before, and write the report.

    Args:
        page: writes the report for people, at a path, from what the report says.

    Raises:
        CheckpointError, WorkerError: as `plan_batch`.
        DestinationError: the folder of the results cannot be written, or another batch is there.
        ZooError, MissingSoftwareError: all is done, but the zoo cannot be patched.
    """
    _check_places(batch)
    with ExitStack() as stack:
        held = stack.enter_context(_prepared(batch))
        journal = stack.enter_context(open_journal(batch.journal))
        workers = stack.enter_context(engine(batch, jobs, watcher.started, held))
        result = without_twins(_done(batch, journal, workers, watcher))
        write_report(batch.report, result, batch.scratch)
        if page is not None:
            page(batch.report.with_suffix(".html"), result.to_json())
        publish(batch, result)
    return result


def _done(batch: Batch, journal: Journal, workers: Engine, watcher: Watcher) -> Result:
    rules = rules_digest()
    before = Before(batch, journal, plan_key(batch, rules))
    items = _plan_on(before, _found(batch), workers, watcher)
    keys = item_keys(items, batch, rules)
    outcomes = {
        item.source: Outcome(Status.REFUSED, item.reason, exit_code=item.exit_code)
        for item in items
        if item.action is Action.REFUSE
    }
    outcomes |= before.outcomes((i for i in items if i.source not in outcomes), keys)
    left = before.claimed([item for item in items if item.source not in outcomes])
    watcher.planned(items, left)
    for item, outcome in workers.run(left):
        outcomes[item.source] = outcome
        if outcome.done:
            journal.record(item, keys[item.source], outcome)
        watcher.ended(item, outcome)
    return Result(tuple((item, outcomes[item.source]) for item in items))


def _plan_on(
    before: Before, found: Sequence[Found], workers: Engine, watcher: Watcher
) -> tuple[Item, ...]:
    """The plan, with the decisions of an earlier batch that still hold."""
    undecided = before.undecided(found)
    watcher.found(len(found), len(undecided))
    fresh = _decided(undecided, workers, watcher)
    before.save(fresh)
    return _planned([*before.decisions(found), *fresh])


def _check_places(batch: Batch) -> None:
    sources, results = batch.sources.resolve(), batch.results.resolve()
    if sources.is_relative_to(results):
        raise DestinationError(
            batch.results, "the sources lie in it, which are never written",
            hint="Choose another folder for the results.",
        )  # fmt: skip


@contextmanager
def _prepared(batch: Batch) -> Iterator[Sequence[int]]:
    """The folders, alone, and without what a batch that was killed left unfinished."""
    try:
        batch.state.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise as_destination_error(batch.results, error) from error
    with locked(batch.state, batch.suffix) as held:
        try:
            shutil.rmtree(batch.scratch, ignore_errors=True)
            batch.scratch.mkdir()
            _sweep(batch)
        except OSError as error:
            raise as_destination_error(batch.scratch, error) from error
        try:
            yield held
        finally:
            shutil.rmtree(batch.scratch, ignore_errors=True)


def _sweep(batch: Batch) -> None:
    """Drafts of reports and of the zoo's pages; not where another shard may be at work."""
    for pattern in () if batch.shard else ("", f"{ZOO}/**/"):
        for left in batch.results.glob(f"{pattern}.mm-ckpt-migrate-*.tmp"):
            left.unlink()


def _found(batch: Batch) -> list[Found]:
    if batch.names is None:
        found = find_checkpoints(batch.sources, without=batch.results)
    else:
        found = find_named(batch.sources, batch.names, without=batch.results)
    return [one for one in found if batch.shard is None or batch.shard.has(one.source)]


def _decided(found: Sequence[Found], workers: Engine, watcher: Watcher) -> list[Item]:
    faulty = [refuse(one, one.fault) for one in found if one.fault]
    items = []
    for item in workers.decide([one for one in found if not one.fault]):
        watcher.decided(item)
        items.append(item)
    return faulty + items


def _planned(items: Sequence[Item]) -> tuple[Item, ...]:
    return tuple(without_collisions(sorted(items, key=lambda item: os.fsencode(item.source))))
