"""The journal of a batch: what was done with each input, kept beside the results (SQLite)."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from mm_ckpt_migrate.batch.item import Item, Outcome, item_from_json, outcome_from_json
from mm_ckpt_migrate.errors import DestinationError

_VERSION: Final = 3
_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS inputs (source BLOB PRIMARY KEY, plan TEXT NOT NULL DEFAULT '',"
    " item TEXT NOT NULL DEFAULT '', claim TEXT NOT NULL DEFAULT '',"
    " key TEXT NOT NULL DEFAULT '', outcome TEXT NOT NULL DEFAULT '',"
    " proof_key TEXT NOT NULL DEFAULT '', proof TEXT NOT NULL DEFAULT '')"
)
_PLAN: Final = (
    "INSERT INTO inputs (source, plan, item) VALUES (?, ?, ?)"
    " ON CONFLICT (source) DO UPDATE SET plan = excluded.plan, item = excluded.item"
)
_CLAIM: Final = (
    "INSERT INTO inputs (source, claim) VALUES (?, ?)"
    " ON CONFLICT (source) DO UPDATE SET claim = excluded.claim"
)
_OUTCOME: Final = (
    "INSERT INTO inputs (source, item, key, outcome) VALUES (?, ?, ?, ?) ON CONFLICT (source)"
    " DO UPDATE SET item = CASE excluded.item WHEN '' THEN item ELSE excluded.item END,"
    " key = excluded.key, outcome = excluded.outcome"
)
_PROOF: Final = "UPDATE inputs SET proof_key = ?, proof = ? WHERE source = ?"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an input from before.

    Attributes:
        plan: digest of what the decision was made by.
        item: the decision; None where there is none.
        claim: the destination that a batch began to write.
        key: digest of what the outcome depends on.
        proof_key: the same of `proof`, the outcome once its new file was verified.
    """

    plan: str
    item: Item | None
    claim: str
    key: str
    outcome: Outcome | None
    proof_key: str = ""
    proof: Outcome | None = None


class Journal:
    """What is known of each input. It is on the disk when a method returns.

    Methods raise DestinationError where the disk is full or fails.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection

    def known(self) -> dict[str, Known]:
        """By source."""
        with _guarded(self._path):
            rows = self._connection.execute(
                "SELECT source, plan, item, claim, key, outcome, proof_key, proof FROM inputs"
            ).fetchall()
        return {os.fsdecode(source): _known(*row) for source, *row in rows}

    def plan(self, items: Iterable[Item], plan: str) -> None:
        """Decisions, and the digest of what they were made by."""
        self._write(_PLAN, [(_name(i), plan, _text(i.to_json())) for i in items])

    def claim(self, items: Iterable[Item]) -> None:
        """What lies at their destinations from now on was made by a batch."""
        self._write(_CLAIM, [(_name(i), json.dumps(i.destination)) for i in items])

    def record(self, item: Item, key: str, outcome: Outcome) -> None:
        """What was done; the decision, too, where the source's signature is proof."""
        decided = ""
        if outcome.read is not None:  # which a hard link to a file changes
            decided = _text(replace(item, signature=outcome.read).to_json())
        self._write(_OUTCOME, [(_name(item), decided, key, _text(outcome.to_json()))])

    def record_proof(self, item: Item, key: str, proof: Outcome) -> None:
        """What `verify` made of the new file of an input that was recorded."""
        self._write(_PROOF, [(key, _text(proof.to_json()), _name(item))])

    def _write(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        with _guarded(self._path), self._connection:
            self._connection.executemany(statement, rows)


def _name(item: Item) -> bytes:
    return os.fsencode(item.source)


def _text(data: dict[str, Any]) -> str:
    return json.dumps(data, separators=(",", ":"))


def _known(plan: str, item: str, claim: str, key: str, outcome: str, proof_key: str, proof: str) -> Known:
    """A row that no journal would hold is as good as none."""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        return Known(
            plan=plan,
            item=item_from_json(json.loads(item)) if item else None,
            claim=json.loads(claim) if claim else "",
            key=key,
            outcome=outcome_from_json(json.loads(outcome)) if outcome else None,
            proof_key=proof_key,
            proof=outcome_from_json(json.loads(proof)) if proof else None,
        )
    return Known(plan="", item=None, claim="", key="", outcome=None)


@contextmanager
def open_journal(path: Path) -> Iterator[Journal]:
    """Open or begin the journal; one that is damaged or another version's is begun anew.

    Nothing is lost with it but time: what was done is done again, and found to be there.

    Raises:
        DestinationError: the file cannot be written.
    """
    with _guarded(path):
        try:
            connection = _connected(path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise  # the disk's fault, not the journal's
            for suffix in ("", "-journal", "-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            connection = _connected(path)
    with closing(connection):
        yield Journal(path, connection)


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=0)
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _VERSION):
            raise sqlite3.DatabaseError(f"version {version}")
        if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("damaged")
        connection.execute("PRAGMA synchronous=EXTRA")
        with connection:
            connection.execute(_TABLE)
            connection.execute(f"PRAGMA user_version={_VERSION}")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _guarded(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise DestinationError(
            path, f"the journal cannot be written: {error}", hint="Nothing that is done is lost."
        ) from error
