"""A small zoo, what the local engine makes of it, and a real S3 server."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mm_ckpt_migrate.batch.engine import Engine
from mm_ckpt_migrate.batch.find import find_checkpoints
from mm_ckpt_migrate.batch.model import Item, Outcome
from mm_ckpt_migrate.batch.options import Batch, BatchOptions
from mm_ckpt_migrate.batch.pool import Pool
from tests.support.files import golden_file

CASES = ("detr_r18", "maskformer_r18", "yolact_r18", "rpn_r18")


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four genuine files, one of them in a folder, and one that is no checkpoint."""
    folder = tmp_path_factory.mktemp("zoo")
    (folder / "below").mkdir()
    for number, case in enumerate(CASES):
        shutil.copy(golden_file(case), folder / ("below" if number == 0 else "") / f"{case}.pth")
    (folder / "damaged.pth").write_bytes(b"PK\3\4 and no more")
    return folder


@pytest.fixture(scope="session")
def locally(zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    """The results of the local engine, and its outcomes."""
    batch = prepared(zoo, tmp_path_factory.mktemp("local"))
    with Pool(batch, 1, nobody) as pool:
        outcomes = done(pool, found_in(batch, pool))
    return batch.results, outcomes


@pytest.fixture(scope="module")
def s3(zoo: Path) -> Iterator[str]:
    """The URL of a bucket with the zoo in it, on a server process of its own."""
    pytest.importorskip("s3fs", reason="the urls extra is not installed")
    pytest.importorskip("moto", reason="there is no S3 server here")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    settings = {
        "AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_DEFAULT_REGION": "us-east-1",
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        try:
            fill(port, zoo)
            yield "s3://zoo"
        finally:
            server.kill()
            server.wait()


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
        engine.decide(find_checkpoints(batch.sources, without=batch.results)),
        key=lambda item: item.source,
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
