"""Sources and results on a real S3 server: the same files as with folders."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from distributed import done, files_below, nobody, prepared

from mm_ckpt_migrate.batch.engines.task import Urls
from mm_ckpt_migrate.batch.engines.url_engine import UrlEngine
from mm_ckpt_migrate.batch.engines.urls import UrlFolder
from mm_ckpt_migrate.batch.item import Action, Signature
from mm_ckpt_migrate.errors import CheckpointError, DestinationError, IntegrityError

pytest.importorskip("s3fs", reason="the urls extra is not installed")


def fetched(url: str, folder: Path) -> dict[str, bytes]:
    store = UrlFolder(url)
    for found in store.find():
        store.fetch(found.source, found.signature, folder / found.source)
    return files_below(folder)


def behind_urls(zoo_url: str, results: str, folder: Path) -> dict[str, object]:
    batch, urls = prepared(folder, folder / "state"), Urls(zoo_url, results)
    with UrlEngine(batch, 2, nobody, urls=urls) as engine:
        items = list(engine.decide(UrlFolder(zoo_url).find()))
        return done(engine, items)


def test_the_results_are_those_of_folders(
    s3: str, tmp_path: Path, locally: tuple[Path, dict[str, object]], zoo: Path
) -> None:
    results, outcomes = locally
    assert behind_urls(s3, "s3://new/all", tmp_path) == outcomes
    assert fetched("s3://new/all", tmp_path / "new") == files_below(results)
    assert fetched(s3, tmp_path / "old") == files_below(zoo)
    # A second time, as by a task that ran twice: nothing is written that is there.
    before = UrlFolder("s3://new/all").find()
    assert behind_urls(s3, "s3://new/all", tmp_path / "again") == outcomes
    assert UrlFolder("s3://new/all").find() == before


def test_a_source_that_changes_during_the_fetch_is_refused(
    s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = UrlFolder(s3)
    known = folder.signature("rpn_r18.pth")
    fetch = folder._store.get_file

    def while_it_changes(path: str, to: str) -> None:
        fetch(path, to)
        UrlFolder(s3)._store.pipe_file(path, Path(to).read_bytes()[::-1])

    original = UrlFolder(s3)._store.cat_file("zoo/rpn_r18.pth")
    monkeypatch.setattr(folder._store, "get_file", while_it_changes)
    try:
        with pytest.raises(CheckpointError, match="changed while it was fetched"):
            folder.fetch("rpn_r18.pth", known, tmp_path / "a.pth")
        with pytest.raises(CheckpointError, match="changed since the plan was made"):
            folder.fetch("rpn_r18.pth", known, tmp_path / "a.pth")
    finally:
        UrlFolder(s3)._store.pipe_file("zoo/rpn_r18.pth", original)


def test_a_file_of_somebody_else_stays(s3: str, tmp_path: Path) -> None:
    store = UrlFolder("s3://new/theirs")
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    theirs.write_bytes(b"theirs")
    ours.write_bytes(b"ours")
    sums = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (theirs, ours)]
    first = store.publish(theirs, "a.pth", sums[0], replaces=False)
    with pytest.raises(DestinationError, match="another file"):
        store.publish(ours, "a.pth", sums[1], replaces=False)
    assert store.same("a.pth", first, sums[0]) == first
    changed = store.publish(ours, "a.pth", sums[1], replaces=True)
    assert store.same("a.pth", first, sums[0]) is None
    assert store.same("a.pth", None, sums[1]) == changed
    with pytest.raises(IntegrityError, match="does not read back"):
        store.publish(theirs, "a.pth", sums[0][::-1], replaces=True)


def test_names_that_are_no_paths_are_faults(s3: str, tmp_path: Path) -> None:
    store = UrlFolder("s3://zoo")._store
    names = ["odd/../../a.pth", "odd//b.pth", "odd/.hidden/c.pth", "odd/d.txt"]
    for name in names:
        store.pipe_file(f"zoo/{name}", b"x")
    try:
        found = {f.source: f.fault for f in UrlFolder(f"{s3}/odd").find()}
        assert "/b.pth" in found
        assert "no path" in found["/b.pth"]
        assert not [name for name in found if "hidden" in name or ".." in name]
        with pytest.raises(CheckpointError, match="no path"):
            UrlFolder(f"{s3}/odd").fetch(
                "../x.pth", Signature(device=0, inode=0, size=1, modified=0, changed=0), tmp_path / "x"
            )
    finally:
        for name in names:
            store.rm_file(f"zoo/{name}")


def test_a_server_that_is_gone_is_a_sentence(
    s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = UrlFolder(s3).find()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(CheckpointError, match=r"^s3://zoo: \w+Error: .*127\.0\.0\.1:9"):
        UrlFolder(s3).find()
    batch = prepared(tmp_path, tmp_path / "state")
    with UrlEngine(batch, 1, nobody, urls=Urls(s3, "s3://new/x")) as engine:
        (item,) = engine.decide(found[:1])
        assert item.action is Action.REFUSE
        assert item.exit_code == 3
        assert not item.signature.changed, "the next batch would not look again"
        ((_, outcome),) = engine.run([replace(item, action=Action.COPY, destination="a.pth")])
    assert not outcome.done
    assert outcome.exit_code == 3
    assert "127.0.0.1:9" in outcome.summary


def test_an_unknown_kind_of_url_is_a_sentence() -> None:
    with pytest.raises(CheckpointError, match="nosuch"):
        UrlFolder("nosuch://zoo")


@contextmanager
def served(folder: Path) -> Iterator[str]:
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_web_server_is_read_and_a_mounted_folder_is_written(
    zoo: Path, tmp_path: Path, locally: tuple[Path, dict[str, object]]
) -> None:
    results, outcomes = locally
    with served(zoo) as url:
        assert behind_urls(url, f"file://{tmp_path}/new", tmp_path) == outcomes
        (made := tmp_path / "old.pth").write_bytes(b"x")
        with pytest.raises(DestinationError):
            UrlFolder(url).publish(made, "a.pth", "", replaces=True)
    assert files_below(tmp_path / "new") == files_below(results)
