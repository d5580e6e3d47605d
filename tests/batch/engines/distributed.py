"""What the tests of engines share."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from pathlib import Path

from mm_ckpt_migrate.batch.engine import Engine
from mm_ckpt_migrate.batch.find import find_checkpoints
from mm_ckpt_migrate.batch.item import Item, Outcome
from mm_ckpt_migrate.batch.options import Batch, BatchOptions


def fill(port: int, zoo: Path) -> None:
    import s3fs

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    store = s3fs.S3FileSystem(skip_instance_cache=True)
    store.mkdir("zoo")
    store.mkdir("new")
    for path in zoo.rglob("*.pth"):
        store.put_file(str(path), f"zoo/{path.relative_to(zoo)}")


def prepared(sources: Path, results: Path) -> Batch:
    """A batch as `run_batch` hands it to an engine."""
    batch = Batch(sources, results, BatchOptions(build=False, seconds=120))
    batch.scratch.mkdir(parents=True)
    return batch


def nobody(item: Item, worker: int) -> None:
    assert item.source
    assert worker >= 0


def found_in(batch: Batch, engine: Engine) -> list[Item]:
    return sorted(
        engine.decide(find_checkpoints(batch.sources, without=batch.results)), key=lambda item: item.source
    )


def done(engine: Engine, items: list[Item]) -> dict[str, object]:
    """What became of each input, but for inode numbers and the like; each came exactly once."""
    wanted = [item for item in items if item.destination]
    outcomes = list(engine.run(wanted))
    assert sorted(i.source for i, _ in outcomes) == sorted(i.source for i in wanted)
    refused = {item.source: item.reason for item in items if not item.destination}
    return {**refused, **{i.source: without_places(o) for i, o in outcomes}}


def without_places(outcome: Outcome) -> Outcome:
    return replace(outcome, read=None, written=None)


def files_below(folder: Path) -> dict[str, bytes]:
    """All that is there, but for the batch's own folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".mm-ckpt-migrate" not in path.parts
    }
