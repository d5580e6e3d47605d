"""The journal of a batch: what was done with each input, kept beside the results (SQLite)."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from mm_ckpt_migrate.batch.model import Item, Outcome, Signature, Status
from mm_ckpt_migrate.errors import DestinationError
from mm_ckpt_migrate.report import Rung, Verdict
from mm_ckpt_migrate.report import Status as Proof

_VERSION: Final = 1
_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS outcomes"
    " (source BLOB PRIMARY KEY, key TEXT NOT NULL, outcome TEXT NOT NULL)"
)


class Journal:
    """The outcomes by source. Each is on the disk when `record` returns."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def find(self, item: Item, key: str) -> Outcome | None:
        """The outcome of an input, where it was done under the same key."""
        row = self._connection.execute(
            "SELECT outcome FROM outcomes WHERE source = ? AND key = ?",
            (os.fsencode(item.source), key),
        ).fetchone()
        return outcome_from_json(json.loads(row[0])) if row else None

    def record(self, item: Item, key: str, outcome: Outcome) -> None:
        with self._connection:
            self._connection.execute(
                "INSERT OR REPLACE INTO outcomes VALUES (?, ?, ?)",
                (os.fsencode(item.source), key, json.dumps(outcome.to_json())),
            )


@contextmanager
def open_journal(path: Path) -> Iterator[Journal]:
    """Open or begin the journal; one that is damaged or another version's is begun anew.

    Nothing is lost with it but time: what was done is done again, to the same bytes.

    Raises:
        DestinationError: the file cannot be written.
    """
    try:
        connection = _connected(path)
    except sqlite3.DatabaseError:
        for name in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
            name.unlink(missing_ok=True)
        connection = _connected(path)
    with closing(connection):
        yield Journal(connection)


def _connected(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(path)
    except sqlite3.OperationalError as error:
        raise DestinationError(path, f"the journal cannot be opened: {error}") from error
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _VERSION):
            raise sqlite3.DatabaseError(f"version {version}")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA user_version={_VERSION}")
        connection.execute(_TABLE)
        connection.execute("SELECT source, key, outcome FROM outcomes LIMIT 1").fetchone()
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection


def outcome_from_json(data: dict[str, Any]) -> Outcome:
    verdicts = tuple(
        Verdict(Rung(v["rung"]), Proof(v["status"]), v["summary"], tuple(v["details"]))
        for v in data["verdicts"]
    )
    read, written = (
        Signature(**data[name]) if data[name] else None for name in ("read", "written")
    )
    return Outcome(
        Status(data["status"]), data["summary"], data["digest"], data["result"], read, written,
        data["exit_code"], verdicts, tuple(data["notices"]), data["facts"],
    )  # fmt: skip
