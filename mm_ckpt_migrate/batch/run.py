"""`batch`: plan, work, account; with the same arguments as the command."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from mm_ckpt_migrate.batch import outputs
from mm_ckpt_migrate.batch.before import Before
from mm_ckpt_migrate.batch.decide import refuse, without_collisions
from mm_ckpt_migrate.batch.engine import Engine, EngineMaker
from mm_ckpt_migrate.batch.find import Found
from mm_ckpt_migrate.batch.fingerprints import item_keys, plan_key, rules_digest
from mm_ckpt_migrate.batch.folder import Folders, LocalFolders
from mm_ckpt_migrate.batch.item import Action, Item, Outcome, Status
from mm_ckpt_migrate.batch.journal import open_journal
from mm_ckpt_migrate.batch.lock import locked
from mm_ckpt_migrate.batch.options import Batch
from mm_ckpt_migrate.batch.pool import Pool
from mm_ckpt_migrate.batch.prove import Proving
from mm_ckpt_migrate.batch.publish import ZOO, publish, without_twins
from mm_ckpt_migrate.batch.report import Result, write_report
from mm_ckpt_migrate.files.archive.folders import make_folder
from mm_ckpt_migrate.files.archive.leftovers import sweep
from mm_ckpt_migrate.files.archive.privacy import as_private_as, make_private
from mm_ckpt_migrate.files.archive.publish import as_destination_error


class Watcher(Protocol):
    """Told what happens; it shows it, or does not."""

    def found(self, count: int, undecided: int) -> None: ...
    def decided(self, item: Item) -> None: ...
    def planned(self, items: Sequence[Item], left: Sequence[Item]) -> None: ...
    def started(self, item: Item, worker: int) -> None: ...
    def ended(self, item: Item, outcome: Outcome) -> None: ...
    def proving(self, items: Sequence[Item]) -> None: ...


def plan_batch(
    batch: Batch, *, jobs: int, watcher: Watcher, engine: EngineMaker = Pool, folders: Folders | None = None
) -> tuple[Item, ...]:
    """Decide on every checkpoint; nothing is written.

    Args:
        folders: where the files are, if not in the batch's folders.

    Raises:
        CheckpointError: the folder of the sources cannot be listed.
        DestinationError: the sources lie among the results.
        WorkerError: no worker can be started.
    """
    found = _of_shard(batch, (folders or LocalFolders(batch)).find(batch.names))
    with engine(batch, jobs, watcher.started, ()) as workers:
        watcher.found(len(found), len(found))
        return _planned(_decided(found, workers, watcher))


def run_batch(
    batch: Batch,
    *,
    jobs: int,
    watcher: Watcher,
    engine: EngineMaker = Pool,
    folders: Folders | None = None,
    page: Callable[[Path, Mapping[str, Any]], None] | None = None,
) -> Result:
    """Plan, do what was not done before, and write the report.

    Args:
        folders: where the files are, if not in the batch's folders; that of the results then has
            the journal and the report alone.
        page: writes the report for people, at a path, from what the report says.

    Raises:
        CheckpointError, WorkerError: as `plan_batch`.
        DestinationError: the folder of the results cannot be written, or another batch is there.
        ZooError, MissingSoftwareError: all is done, but the zoo cannot be patched.
    """
    folders = folders or LocalFolders(batch)
    found = folders.find(batch.names)
    outputs.check(batch, page=page is not None)
    with ExitStack() as stack:
        held = stack.enter_context(_prepared(batch))
        read = [batch.sources / one.source for one in found]
        with as_private_as(read):
            journal = stack.enter_context(open_journal(batch.journal))
        make_private(batch.journal, read)  # one that was there before these files were
        workers = stack.enter_context(engine(batch, jobs, watcher.started, held))
        rules = rules_digest()
        before = Before(batch, folders, journal, plan_key(batch, rules))
        items = _plan_on(before, _of_shard(batch, found), workers, watcher)
        keys = item_keys(items, batch, rules)
        outcomes = _done(items, keys, before, workers, watcher)
        made = tuple((item, outcomes[item.source]) for item in items)
        result = without_twins(Result(made, _absent(batch, found)))
        if batch.proving is not None:
            result = _proven(result, batch.proving, before, workers, watcher)
        with as_private_as(read):
            write_report(batch.report, result)
            if page is not None:
                page(batch.report.with_suffix(".html"), result.to_json())
            publish(batch, result)
    return result


def _done(
    items: Sequence[Item], keys: Mapping[str, str], before: Before, workers: Engine, watcher: Watcher
) -> dict[str, Outcome]:
    """What became of each input, by what was done before or is done now."""
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
            before.journal.record(item, keys[item.source], outcome)
        watcher.ended(item, outcome)
    return outcomes


def _proven(result: Result, how: Proving, before: Before, workers: Engine, watcher: Watcher) -> Result:
    """With the outcomes of new files as `verify` sees them."""
    made = [(i, outcome) for i, outcome in result.outcomes if outcome.status is Status.MIGRATED]
    keys = {item.source: how.digest(outcome) for item, outcome in made}
    proofs = before.proofs(keys)
    left = [(item, outcome) for item, outcome in made if item.source not in proofs]
    watcher.proving([item for item, _ in left])
    for item, proof in workers.prove(left):
        proofs[item.source] = proof
        if proof.done:
            before.journal.record_proof(item, keys[item.source], proof)
        watcher.ended(item, proof)
    return replace(
        result, outcomes=tuple((i, proofs.get(i.source, outcome)) for i, outcome in result.outcomes)
    )


def _plan_on(before: Before, found: Sequence[Found], workers: Engine, watcher: Watcher) -> tuple[Item, ...]:
    """The plan, with the decisions of an earlier batch that still hold."""
    undecided = before.undecided(found)
    watcher.found(len(found), len(undecided))
    fresh = _decided(undecided, workers, watcher)
    before.save(fresh)
    return _planned([*before.decisions(found), *fresh])


@contextmanager
def _prepared(batch: Batch) -> Iterator[Sequence[int]]:
    """The folders, alone, and without what a batch that was killed left unfinished."""
    try:
        make_folder(batch.state)
    except OSError as error:
        raise as_destination_error(batch.results, error) from error
    with locked(batch.state, batch.suffix) as held:
        try:
            shutil.rmtree(batch.scratch, ignore_errors=True)
            batch.scratch.mkdir()
            _sweep(batch.results)
        except OSError as error:
            raise as_destination_error(batch.scratch, error) from error
        try:
            yield held
        finally:
            shutil.rmtree(batch.scratch, ignore_errors=True)


def _sweep(results: Path) -> None:
    """Drafts of reports and of the zoo's pages that killed runs left."""
    sweep(results)
    for folder, _, _ in os.walk(results / ZOO):
        sweep(Path(folder))


def _of_shard(batch: Batch, found: Iterable[Found]) -> list[Found]:
    return [one for one in found if batch.shard is None or batch.shard.has(one.source)]


def _absent(batch: Batch, found: Iterable[Found]) -> tuple[str, ...]:
    names = {one.source.rpartition("/")[2] for one in found}
    return tuple(sorted(batch.listed.keys() - names))


def _decided(found: Sequence[Found], workers: Engine, watcher: Watcher) -> list[Item]:
    faulty = [refuse(one, one.fault) for one in found if one.fault]
    items = []
    for item in workers.decide([one for one in found if not one.fault]):
        watcher.decided(item)
        items.append(item)
    return faulty + items


def _planned(items: Sequence[Item]) -> tuple[Item, ...]:
    return tuple(without_collisions(sorted(items, key=lambda item: os.fsencode(item.source))))
