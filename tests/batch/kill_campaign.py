"""Kill batches at random moments, and look at what is left each time.

    python tests/batch/kill_campaign.py [--kills 200] [--seed 1] [--folder DIR]

After every kill each file among the results must be whole and right, if it is there at all. A batch
that comes to its end must have made exactly the files, and the report, of one that nobody killed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from zoos import STATE, command, digests, make_zoo

MINE = {"lock", "journal.sqlite"}
DRAFT = re.compile(r"\.mm-ckpt-migrate-[0-9a-f-]+\.tmp")


@dataclass
class Campaign:
    """The zoo, what a batch makes of it undisturbed, and how long it takes."""

    zoo: Path
    expected: dict[str, str]
    seconds: float
    source: dict[str, str]


def prepare(folder: Path) -> Campaign:
    zoo = make_zoo(folder / "zoo")
    began = time.monotonic()
    finish(start(zoo, folder / "undisturbed"))
    seconds = time.monotonic() - began
    return Campaign(zoo, digests(folder / "undisturbed"), seconds, digests(zoo))


def start(zoo: Path, results: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command(zoo, results, "--no-build", "--jobs", "2"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def finish(process: subprocess.Popen[bytes]) -> None:
    assert process.wait(120) == 16, f"the batch ended with {process.returncode}"


def strike(process: subprocess.Popen[bytes], after: float, luck: random.Random) -> bool:
    """Kill a batch, or one of its workers first; gives whether it was still running."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        finish_code = process.wait(after)
        assert finish_code == 16, f"the batch ended with {finish_code}"
        return False
    if luck.random() < 0.2:
        for worker in children(process.pid)[:1]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        time.sleep(luck.random() * 0.3)
    process.send_signal(luck.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)))
    process.wait(60)
    return True


def children(pid: int) -> list[int]:
    with contextlib.suppress(FileNotFoundError):
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def check_left(results: Path, expected: dict[str, str]) -> None:
    """Whatever has a name is right, but for drafts of the report."""
    left = {name: sha for name, sha in digests(results).items() if not DRAFT.fullmatch(name)}
    wrong = {name for name, sha in left.items() if expected.get(name) != sha}
    assert not wrong, f"wrong or stray: {wrong}"


def check_whole(results: Path, campaign: Campaign) -> None:
    """All of it is there, nothing else is, and the sources are as they were."""
    found = digests(results)
    assert found == campaign.expected, set(found.items()) ^ set(campaign.expected.items())
    left = set(os.listdir(results / STATE))
    assert left == MINE, f"stray: {left - MINE}"
    assert digests(campaign.zoo) == campaign.source


def run(folder: Path, kills: int, seed: int) -> tuple[int, int]:
    """Kills, and batches that came to their end all the same."""
    luck, campaign = random.Random(seed), prepare(folder)
    killed = ended = 0
    while killed < kills:
        results = folder / "results"
        done = False
        while not done:
            after = luck.uniform(0.05, campaign.seconds * 0.7)
            last = killed >= kills or luck.random() < 0.04
            done = not strike(start(campaign.zoo, results), 120 if last else after, luck)
            killed += not done
            check_left(results, campaign.expected)
        check_whole(results, campaign)
        ended += 1
        shutil.rmtree(results)
    return killed, ended


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        killed, ended = run(Path(folder), args.kills, args.seed)
    text = f"{killed} kills in {ended} batches: every file right, none missing, none stray"
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main()
