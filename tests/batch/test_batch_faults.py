"""I, K, B, R: batches that are killed, starved, disturbed, or run twice at once."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import kill_campaign
import pytest
from zoos import STATE, batch, command, digest, digests, entries, golden_path

from mm_ckpt_migrate.errors import ExitCode

pytestmark = pytest.mark.thorough

# Strikes inside the workers, by the name of the file that they work on.
_STRUCK = """
import os, sys, time
if "mm_ckpt_migrate.batch.worker" in sys.orig_argv:
    import mm_ckpt_migrate.batch.work as work
    real = work.convert

    def convert(family, cfg, old, new, options, **kwargs):
        with open(os.environ["STRUCK"], "a") as log:
            log.write(f"{old.name}\\n")
        if "poison" in old.name:
            os.kill(os.getpid(), 9)
        if "slow" in old.name:
            time.sleep(600)
        if "greedy" in old.name:
            bytearray(1 << 34)
        if "odd" in old.name:
            raise ValueError("nobody thought of this")
        report = real(family, cfg, old, new, options, **kwargs)
        if "once" in old.name and not os.path.exists(os.environ["STRUCK"] + ".once"):
            open(os.environ["STRUCK"] + ".once", "w").close()
            os.kill(os.getpid(), 9)
        if "swapped" in old.name:
            os.replace(old.with_suffix(".bin"), old)
        return report

    work.convert = convert
    import mm_ckpt_migrate.batch.decide as decide
    look = decide.open_checkpoint

    def open_checkpoint(source):
        if "deadly" in source.path.name:
            os.kill(os.getpid(), 9)
        return look(source)

    decide.open_checkpoint = open_checkpoint
"""


@pytest.fixture
def struck(tmp_path: Path) -> dict[str, str]:
    """The environment in which workers are struck."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(_STRUCK)
    return {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "STRUCK": str(tmp_path / "log")}


def small_zoo(folder: Path, *names: str) -> Path:
    (folder / "zoo").mkdir()
    for name in names:
        shutil.copy(golden_path("rpn_r18"), folder / "zoo" / name)
    return folder / "zoo"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("poison", "signal 9"),
        ("slow", "more than 2 seconds"),
        ("greedy", "MemoryError"),
        ("odd", "nobody thought of this"),
    ],
)
def test_b6_b7_what_costs_a_worker_twice_is_set_aside(
    kind: str, words: str, struck: dict[str, str], tmp_path: Path
) -> None:
    zoo, new = small_zoo(tmp_path, "a.pth", f"{kind}.pth", "z.pth"), tmp_path / "new"
    done = batch(zoo, new, "--seconds", "2", "--memory", "1000", env=struck)
    assert done.returncode == ExitCode.INCOMPLETE
    assert "Traceback" not in done.stderr
    found = entries(new)
    assert found[f"{kind}.pth"]["outcome"]["status"] == "failed"
    assert words in found[f"{kind}.pth"]["outcome"]["summary"]
    assert found["a.pth"]["outcome"]["status"] == found["z.pth"]["outcome"]["status"] == "migrated"
    assert (tmp_path / "log").read_text().split().count(f"{kind}.pth") == 2
    assert set(os.listdir(new / STATE)) == {"lock", "journal.sqlite"}


def test_b6_what_costs_a_worker_in_the_plan_is_refused(struck: dict[str, str], tmp_path: Path) -> None:
    """And none of those that were looked into beside it."""
    names = [f"{number}.pth" for number in range(20)]
    zoo, new = small_zoo(tmp_path, *names, "deadly.pth"), tmp_path / "new"
    done = batch(zoo, new, "--jobs", "1", env=struck)
    assert done.returncode == ExitCode.INCOMPLETE
    found = {name: entry["outcome"]["status"] for name, entry in entries(new).items()}
    assert found == {**dict.fromkeys(names, "migrated"), "deadly.pth": "refused"}
    assert "signal 9" in entries(new)["deadly.pth"]["outcome"]["summary"]
    assert batch(zoo, new).returncode == 0


def test_k4_a_worker_that_is_killed_once_costs_nothing(struck: dict[str, str], tmp_path: Path) -> None:
    zoo, new = small_zoo(tmp_path, "once.pth"), tmp_path / "new"
    assert batch(zoo, new, env=struck).returncode == 0
    assert (tmp_path / "log").read_text().split() == ["once.pth", "once.pth"]


def test_k10_a_source_that_is_replaced_meanwhile_is_done_again(
    struck: dict[str, str], tmp_path: Path
) -> None:
    """The result is that of the file that was opened; the next batch sees the other one."""
    zoo, new = small_zoo(tmp_path, "swapped.pth"), tmp_path / "new"
    first = digest(zoo / "swapped.pth")
    shutil.copy(golden_path("yolact_r18"), zoo / "swapped.bin")
    batch(zoo, new, env=struck)
    assert entries(new)["swapped.pth"]["outcome"]["digest"] == first
    assert "; 1 to be done now" in batch(zoo, new).stderr
    assert entries(new)["swapped.pth"]["family"] == "yolact"


def test_workers_that_cannot_start_are_an_error(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import sys\nif 'mm_ckpt_migrate.batch.worker' in sys.orig_argv: raise SystemExit('broken')"
    )
    zoo = small_zoo(tmp_path, "a.pth")
    done = batch(zoo, tmp_path / "new", env={**os.environ, "PYTHONPATH": str(site)})
    assert done.returncode == ExitCode.INTERNAL
    assert "cannot start: exit code 1: SystemExit: broken" in done.stderr


@contextlib.contextmanager
def at_work(zoo: Path, new: Path, env: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A batch with a worker that never ends."""
    with subprocess.Popen(
        [*command(zoo, new), "--no-build"], stderr=subprocess.PIPE, text=True, env=env
    ) as process:
        try:
            wait_for(lambda: Path(env["STRUCK"]).exists())
            yield process
        finally:
            process.kill()


def wait_for(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_k5_the_second_batch_says_who_holds_it(struck: dict[str, str], tmp_path: Path) -> None:
    zoo, new = small_zoo(tmp_path, "slow.pth"), tmp_path / "new"
    with at_work(zoo, new, struck) as first:
        second = batch(zoo, new)
        assert second.returncode == ExitCode.BAD_DESTINATION
        assert f"another batch is at work there: process {first.pid} on" in second.stderr
        shard = batch(zoo, new, "--shard", "1/2")
        assert shard.returncode == ExitCode.BAD_DESTINATION
        assert batch(zoo, new, "--dry-run").returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_k3_an_end_takes_the_workers_along(
    number: signal.Signals, struck: dict[str, str], tmp_path: Path
) -> None:
    zoo, new = small_zoo(tmp_path, "a.pth", "slow.pth"), tmp_path / "new"
    with at_work(zoo, new, struck) as process:
        workers = kill_campaign.children(process.pid)
        assert workers
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    wait_for(lambda: not any(Path(f"/proc/{pid}/stat").exists() for pid in workers))
    assert "Traceback" not in errors
    if number != signal.SIGKILL:
        assert process.returncode == ExitCode.INTERRUPTED
        assert "run it again" in errors
        assert not (new / STATE / "scratch").exists()
    (zoo / "slow.pth").rename(zoo / "quick.pth")
    assert batch(zoo, new).returncode == 0
    assert set(digests(new)) == {"a.pth", "quick.pth", "batch.json", "batch.html"}


def test_k1_kills_at_random_moments(tmp_path: Path) -> None:
    killed, ended = kill_campaign.run(tmp_path, 6, seed=3)
    assert killed >= 6
    assert ended >= 1


def on_tmpfs(folder: Path, options: str, script: str) -> subprocess.CompletedProcess[str]:
    if not shutil.which("unshare") or os.geteuid() != 0:
        pytest.skip("only root can mount")
    folder.mkdir()
    mount = f"mount -t tmpfs -o {options} tmpfs {folder} || exit 77\n"
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", mount + script],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("this machine does not allow it")
    return done


def test_i1_a_full_disk(tmp_path: Path) -> None:
    """What has room is done, what has not is refused; with more room the rest is done."""
    zoo, new = small_zoo(tmp_path, "a.pth", "c.pth"), tmp_path / "new"
    shutil.copy(golden_path("mask2former_r18"), zoo / "b.pth")
    size = (zoo / "a.pth").stat().st_size
    line = " ".join([*command(zoo, new / "out"), "--no-build", "--jobs", "1"])
    script = (
        f"{line}; echo $?; cat {new}/out/batch.json > {tmp_path}/first.json\n"
        f"mount -o remount,size=64m {new}; {line}; echo $?\n"
        f"cp {new}/out/batch.json {tmp_path}/second.json; ls -A {new}/out {new}/out/{STATE}"
    )
    done = on_tmpfs(new, f"size={size * 3 + 400_000}", script)
    first, second = (
        {e["source"]: e["outcome"] for e in json.loads((tmp_path / name).read_text())["entries"]}
        for name in ("first.json", "second.json")
    )
    assert [first[n]["status"] for n in ("a.pth", "b.pth", "c.pth")] == ["migrated", "refused", "migrated"]
    assert "disk is full" in first["b.pth"]["summary"]
    assert first["b.pth"]["exit_code"] == ExitCode.BAD_DESTINATION
    assert {o["status"] for o in second.values()} == {"migrated"}
    assert "Traceback" not in done.stderr


def test_i1_no_room_even_for_the_journal(tmp_path: Path) -> None:
    zoo, new = small_zoo(tmp_path, "a.pth"), tmp_path / "new"
    line = " ".join([*command(zoo, new / "out"), "--no-build"])
    done = on_tmpfs(new, "size=8k", f"{line}; echo code $?; find {new} -name '*.pth'")
    assert done.stdout == f"code {int(ExitCode.BAD_DESTINATION)}\n"
    assert "Traceback" not in done.stderr


def test_i1_a_limit_on_the_size_of_files(tmp_path: Path) -> None:
    zoo, new = small_zoo(tmp_path, "a.pth"), tmp_path / "new"

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = batch(zoo, new, preexec_fn=limit)
    assert done.returncode == ExitCode.INCOMPLETE
    assert entries(new)["a.pth"]["outcome"]["exit_code"] == ExitCode.BAD_DESTINATION
    assert set(digests(new)) == {"batch.json", "batch.html"}


def test_i5_a_read_only_disk(tmp_path: Path) -> None:
    zoo, new = small_zoo(tmp_path, "a.pth"), tmp_path / "new"
    line = " ".join([*command(zoo, new / "out"), "--no-build"])
    done = on_tmpfs(new, "size=8m,ro", f"{line}; echo $?")
    assert done.stdout == f"{int(ExitCode.BAD_DESTINATION)}\n"
    assert "cannot be written" in done.stderr


def test_i5_results_where_a_file_is(tmp_path: Path) -> None:
    zoo = small_zoo(tmp_path, "a.pth")
    (tmp_path / "new").write_text("mine")
    done = batch(zoo, tmp_path / "new")
    assert done.returncode == ExitCode.BAD_DESTINATION
    assert (tmp_path / "new").read_text() == "mine"


def test_x6_a_source_that_changes_after_the_plan(tmp_path: Path) -> None:
    """Decided on, then written to, before its worker opens it."""
    from mm_ckpt_migrate.batch.find import find_checkpoints
    from mm_ckpt_migrate.batch.options import Batch, BatchOptions
    from mm_ckpt_migrate.batch.pool import Pool

    zoo = small_zoo(tmp_path, "a.pth")
    made = Batch(zoo, tmp_path / "new", BatchOptions(build=False))
    made.scratch.mkdir(parents=True)
    with Pool(made, 1, lambda *_: None) as pool:
        (item,) = pool.decide(find_checkpoints(zoo, without=made.results))
        with (zoo / "a.pth").open("ab") as file:
            file.write(b"more")
        ((_, outcome),) = pool.run([item])
    assert outcome.exit_code == ExitCode.BAD_CHECKPOINT
    assert "changed since the plan" in outcome.summary
    assert not list(made.scratch.iterdir())
