"""A server that answers a byte at a time: the time is bounded, and one signal ends the batch."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from distributed import nobody, prepared
from support.files import golden_file

from mm_ckpt_migrate.batch.engines.patience import TooLateError, within
from mm_ckpt_migrate.batch.engines.task import Setup, Urls, proof, setup_from_json, version
from mm_ckpt_migrate.batch.engines.url_engine import UrlEngine
from mm_ckpt_migrate.batch.engines.urls import UrlFolder
from mm_ckpt_migrate.batch.item import Action, Item, Outcome, Signature, Status
from mm_ckpt_migrate.errors import CheckpointError

pytest.importorskip("aiohttp", reason="the urls extra is not installed")

SOUND = golden_file("yolact_r18").read_bytes()
PAGE = b'<a href="slow.pth">slow</a> <a href="sound.pth">sound</a>'
# What is slow: the list, the headers of a file, or its bytes.
PARTS = ["list", "headers", "body"]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    slow = ""

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        listed, name = self.path.rstrip("/").endswith("zoo"), self.path.rpartition("/")[2]
        body = PAGE if listed else SOUND
        part = "list" if listed else "body"
        if self.slow == "headers" and name == "slow.pth":
            self._trickle(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 10_000)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"1"')
        self.end_headers()
        if self.command == "HEAD":
            return
        slow = self.slow == part and (listed or name == "slow.pth")
        self._trickle(body) if slow else self.wfile.write(body)

    do_HEAD = do_GET

    def _trickle(self, data: bytes) -> None:
        try:
            for byte in data:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(0.2)
        except OSError:  # whoever asked has gone
            self.close_connection = True


@contextmanager
def serving(slow: str) -> Iterator[str]:
    handler = type("Slow", (Handler,), {"slow": slow})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads, server.block_on_close = True, False
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/zoo"
    finally:
        server.shutdown()
        server.server_close()


def command(url: str, folder: Path, *more: str) -> list[str]:
    line = [sys.executable, "-m", "mm_ckpt_migrate", "batch", url, str(folder / "new")]
    return [*line, "--no-build", *more]


def settings(folder: Path) -> dict[str, str]:
    (folder / "tmp").mkdir(exist_ok=True)
    return {**os.environ, "TMPDIR": str(folder / "tmp")}


def fetched(folder: Path) -> list[Path]:
    return [path for path in (folder / "tmp").rglob("*") if path.is_file()]


@pytest.mark.parametrize("part", ["headers", "body"])
def test_a_slow_file_is_set_aside_and_the_others_are_done(part: str, tmp_path: Path) -> None:
    with serving(part) as url:
        done = subprocess.run(
            command(url, tmp_path, "--seconds", "8", "--json"),
            env=settings(tmp_path),
            capture_output=True,
            check=False,
            timeout=300,
        )
    found = {entry["source"]: entry["outcome"] for entry in json.loads(done.stdout)["entries"]}
    assert found["sound.pth"]["status"] == "migrated"
    assert found["slow.pth"]["status"] == "refused"
    assert "it took more than 8 seconds" in found["slow.pth"]["summary"]
    assert done.returncode == 16
    assert fetched(tmp_path) == []


def test_a_slow_list_is_a_sentence(tmp_path: Path) -> None:
    with serving("list") as url:
        done = subprocess.run(
            command(url, tmp_path, "--seconds", "2"),
            env=settings(tmp_path),
            capture_output=True,
            check=False,
            timeout=300,
            text=True,
        )
    assert done.returncode == 3
    assert f"{url}: it took more than 2 seconds" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("part", PARTS)
def test_one_signal_ends_it(part: str, number: int, tmp_path: Path) -> None:
    with serving(part) as url:
        child = subprocess.Popen(
            command(url, tmp_path), env=settings(tmp_path), stderr=subprocess.PIPE, text=True
        )
        _wait(lambda: _connected(url) and (part != "body" or bool(fetched(tmp_path))))
        child.send_signal(number)
        try:
            _, said = child.communicate(timeout=60)
        finally:
            child.kill()
    assert child.returncode == 130
    assert "Interrupted" in said
    assert fetched(tmp_path) == []


def _connected(url: str) -> bool:
    """Whether somebody is being served; the tables of the system know."""
    port = f"{int(url.rpartition(':')[2].partition('/')[0]):04X}"
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    states = [line.split()[1:4] for line in lines]
    return any(here.endswith(f":{port}") and state == "01" for here, _, state in states)


def _wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(0.5)


def test_a_fetch_for_the_proof_is_bounded(tmp_path: Path) -> None:
    """The proof may take a day, but not the fetch of what it is about."""
    batch = prepared(tmp_path, tmp_path / "state")
    with serving("body") as url:
        batch = replace(batch, options=replace(batch.options, seconds=2.0))
        setup = Setup(batch, Urls(url, "memory://none"), version(batch))
        assert setup_from_json(setup.to_json()) == setup
        slow = UrlFolder(url).signature("slow.pth")
        item = next(i for i in _decided(replace(setup, batch=batch), url) if i.source == "slow.pth")
        assert item.action is Action.REFUSE
        outcome = proof(replace(item, signature=slow), Outcome(Status.MIGRATED, "", destination="a"), setup)
    assert outcome.status is Status.FAILED
    assert "it took more than 2 seconds" in outcome.summary


def _decided(setup: Setup, url: str) -> list[Item]:
    with UrlEngine(setup.batch, 2, nobody, urls=setup.urls) as engine:
        return list(engine.decide(UrlFolder(url).find()))


def test_a_bound_ends_what_waits() -> None:
    one, other = socket.socketpair()
    armed = signal.getitimer(signal.ITIMER_REAL)[0] > 0  # by whoever runs the tests
    with one, other, pytest.raises(TooLateError), within(0.2):
        one.recv(1)
    assert (signal.getitimer(signal.ITIMER_REAL)[0] > 0) == armed
    with within(0.2):
        pass
    time.sleep(0.3)


def _waits(inner: float) -> None:
    with within(inner):
        time.sleep(0.3 if inner > 1 else 60)
    time.sleep(60)


@pytest.mark.parametrize(("outer", "inner"), [(0.4, 60), (60, 0.2)])
def test_a_bound_within_another(outer: float, inner: float) -> None:
    armed = signal.getitimer(signal.ITIMER_REAL)[0] > 0
    with pytest.raises(TooLateError), within(outer):
        _waits(inner)
    assert (signal.getitimer(signal.ITIMER_REAL)[0] > 0) == armed


def test_a_folders_answer_is_bounded(tmp_path: Path) -> None:
    with serving("body") as url:
        there = UrlFolder(url, 1.0)
        known = there.signature("slow.pth")
        with pytest.raises(CheckpointError, match=r"slow\.pth: it took more than 1 seconds"):
            there.fetch("slow.pth", known, tmp_path / "slow.pth")
        assert (
            there.same(
                "slow.pth", Signature(device=0, inode=0, size=len(SOUND), modified=0, changed=1), "0" * 64
            )
            is None
        )
