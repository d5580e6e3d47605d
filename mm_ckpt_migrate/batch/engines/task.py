"""One task of a batch on whatever machine: plain data in, plain data out, all else in files."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mm_ckpt_migrate.batch.engines.urls import UrlFolder
from mm_ckpt_migrate.batch.find import Found, signature
from mm_ckpt_migrate.batch.fingerprints import plan_key, rules_digest
from mm_ckpt_migrate.batch.item import (
    Action,
    Item,
    Outcome,
    Signature,
    Status,
    item_from_json,
    outcome_from_json,
)
from mm_ckpt_migrate.batch.options import Batch, batch_from_json, batch_to_json
from mm_ckpt_migrate.batch.pool import Pool
from mm_ckpt_migrate.batch.prove import prove
from mm_ckpt_migrate.errors import CheckpointError, MigrateError, MissingSoftwareError
from mm_ckpt_migrate.files.archive.scratch import scratch_folder


@dataclass(frozen=True, slots=True)
class Urls:
    """Where sources and results are, in the place of the batch's folders; empty for those."""

    sources: str = ""
    results: str = ""

    def __bool__(self) -> bool:
        return bool(self.sources or self.results)


@dataclass(frozen=True, slots=True)
class Setup:
    """What every task of a batch needs.

    Attributes:
        version: of this program and all else that decides on the bytes of the results.
        token: a file among the results, by which a machine sees that it has the same folder.
    """

    batch: Batch
    urls: Urls
    version: str
    token: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "batch": batch_to_json(self.batch),
            "urls": asdict(self.urls),
            "version": self.version,
            "token": self.token,
        }


def setup_from_json(data: Mapping[str, Any]) -> Setup:
    urls = Urls(**data["urls"])
    return Setup(batch_from_json(data["batch"]), urls, data["version"], data["token"])


def version(batch: Batch) -> str:
    """Of everything but the sources that decides on the results, as it is on this machine."""
    return plan_key(batch, rules_digest())


def perform(setup: Mapping[str, Any], message: Mapping[str, Any]) -> dict[str, Any]:
    """What `batch.worker.Worker` answers, from a process that has memory and time of its own."""
    given = setup_from_json(setup)
    if "found" in message:
        found = Found(message["found"]["source"], Signature(**message["found"]["signature"]))
        return decide(found, given).to_json()
    item = item_from_json(dict(message["item"]))
    if "outcome" in message:
        return proof(item, outcome_from_json(message["outcome"]), given).to_json()
    return work(item, given).to_json()


def decide(found: Found, setup: Setup) -> Item:
    """What is to become of an input; with the signature that it was found with."""
    try:
        with _here(setup, found.source, found.signature) as (batch, here):
            with Pool(batch, 1, lambda *_: None) as pool:
                (item,) = pool.decide([replace(found, signature=here)])
            seen = item.signature.changed != 0
            return replace(item, signature=found.signature) if seen else item
    except MigrateError as error:
        return unseen(found, _words(error, setup), int(error.exit_code))


def unseen(found: Found, reason: str, exit_code: int) -> Item:
    """A refusal for what may be over soon."""
    signature = found.signature.unsettled()
    return Item(found.source, "", Action.REFUSE, reason, signature, exit_code=exit_code)


def work(item: Item, setup: Setup) -> Outcome:
    """The outcome of an input, with its result where it belongs."""
    try:
        with _here(setup, item.source, item.signature) as (batch, here):
            with Pool(batch, 1, lambda *_: None) as pool:
                ((_, outcome),) = pool.run([replace(item, signature=here)])
            if outcome.done and setup.urls.results:
                outcome = _published(item, outcome, batch, setup)
            return replace(outcome, read=_read(item, outcome, here, setup))
    except MigrateError as error:
        return Outcome(Status.REFUSED, _words(error, setup), exit_code=int(error.exit_code))


def proof(item: Item, outcome: Outcome, setup: Setup) -> Outcome:
    """The outcome with what `verify` makes of the new file; behind URLs, without its page."""
    try:
        with _here(setup, item.source, item.signature) as (batch, _):
            how = batch.proving
            assert how is not None
            if setup.urls.results:
                made = batch.results / outcome.destination
                assert outcome.written is not None
                there = UrlFolder(setup.urls.results, batch.options.seconds)
                there.fetch(outcome.destination, outcome.written, made)
                how = replace(how, pages=False)
            return prove(item, outcome, batch.sources, batch.results, how)
    except MigrateError as error:
        words, code = _words(error, setup), int(error.exit_code)
        return replace(outcome, status=Status.FAILED, summary=words, exit_code=code)


@contextmanager
def _here(setup: Setup, source: str, known: Signature) -> Iterator[tuple[Batch, Signature]]:
    """The batch as it is on this machine, and the signature that the input has here."""
    _check_machine(setup)
    if not setup.urls:
        yield setup.batch, _same(setup.batch.sources / source, known)
        return
    seconds = setup.batch.options.seconds
    with scratch_folder() as folder:
        batch = _local(setup, folder)
        if setup.urls.sources:
            UrlFolder(setup.urls.sources, seconds).fetch(source, known, batch.sources / source)
            here = signature((batch.sources / source).stat())
        else:
            here = _same(batch.sources / source, known)
        yield batch, here


def _local(setup: Setup, folder: Path) -> Batch:
    batch = setup.batch
    sources = folder / "sources" if setup.urls.sources else batch.sources
    results = folder / "results" if setup.urls.results else batch.results
    # A link to what was fetched would be a copy all the same.
    batch = replace(batch, sources=sources, results=results, options=replace(batch.options, link=False))
    batch.scratch.mkdir(parents=True, exist_ok=True)
    return batch


def _check_machine(setup: Setup) -> None:
    where = socket.gethostname()
    if version(setup.batch) != setup.version:
        raise MissingSoftwareError(
            f"{where} has another version of mm-ckpt-migrate, of its rules or of the OpenMMLab stack",
            hint="Install the same on every machine.",
        )
    if setup.token and not Path(setup.token).exists():
        raise CheckpointError(
            setup.batch.results,
            f"{where} does not see the same folder there",
            hint="The folders must be on a file system that all machines share, or behind URLs.",
        )


def _same(path: Path, known: Signature) -> Signature:
    """Devices have other numbers on other machines, and inodes on some file systems."""
    try:
        here = signature(path.stat())
    except OSError as error:
        raise CheckpointError(path, f"{socket.gethostname()} does not see it: {error.strerror}") from error
    if (here.size, here.modified) != (known.size, known.modified):
        raise CheckpointError(path, "it changed since the plan was made", hint="Run this again.")
    return here


def _read(item: Item, outcome: Outcome, here: Signature, setup: Setup) -> Signature | None:
    """The source's signature as the driver knows it, where it proves as much as it does here."""
    proves = setup.urls.sources or replace(here, device=item.signature.device) == item.signature
    proven = outcome.done if setup.urls.sources else outcome.read is not None
    return item.signature if proves and proven else None


def _published(item: Item, outcome: Outcome, batch: Batch, setup: Setup) -> Outcome:
    made = batch.results / outcome.destination
    written = UrlFolder(setup.urls.results, batch.options.seconds).publish(
        made, outcome.destination, outcome.result, replaces=item.replaces
    )
    return replace(outcome, written=written)


def _words(error: MigrateError, setup: Setup) -> str:
    """Without the folders, which differ from run to run."""
    text = f"{error.message}. {error.hint}".strip()
    results, sources = setup.urls.results or setup.batch.results, setup.urls.sources
    for folder in (results, sources or setup.batch.sources):
        text = text.replace(f"{str(folder).rstrip(os.sep)}/", "")
    return text
