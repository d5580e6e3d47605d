"""Migrate a folder of genuine trainings, and have `verify` climb as far as can be with each.

    python tools/campaigns/variants.py TRAININGS [--legacy-python PATH] [--for PURPOSE]
        [--only NAME]

A training is `TRAININGS/NAME/old.pth`, with its config inside, as the old release's Runner saved
it. Each is converted for `resume` and for `inference`. Nothing may fail: a file is refused with a
reason, or its rungs pass, or say why they cannot tell; both kinds of reasons are listed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tally import Tally

_TITLE: Final = "Genuine trainings, converted and verified"
_PROGRAM: Final = (sys.executable, "-m", "mm_ckpt_migrate")
_PURPOSES: Final = ("resume", "inference")
_UNASKED: Final = "not asked for"
_NOTHING_TO_RESUME: Final = "holds no training state"
_FAULT: Final = 1  # of the program itself
_SECONDS: Final = 600


@dataclass(frozen=True, slots=True)
class Ending:
    """How a command ended: its exit status and the JSON that it printed."""

    code: int
    said: dict[str, Any]


def run(*arguments: str) -> Ending:
    done = subprocess.run(
        [*_PROGRAM, *arguments, "--json"], capture_output=True, check=False, timeout=_SECONDS
    )
    try:
        said = json.loads(done.stdout)
    except ValueError:
        said = {"error": done.stderr.decode(errors="replace")[-500:].strip()}
    return Ending(done.returncode, said)


class Campaign:
    """What was found; the reasons are printed as they are given."""

    def __init__(self, legacy: list[str], folder: Path) -> None:
        self.tally = Tally(_TITLE)
        self._legacy = legacy
        self._new = folder / "new.pth"

    def attempt(self, training: Path, purpose: str) -> None:
        """Convert and verify one training for one purpose."""
        old, where = str(training / "old.pth"), f"{training.name} for {purpose}"
        new = str(self._new)
        made = run("convert", "auto", "embedded", old, new, "--for", purpose, "--force")
        if made.code:
            self._refused(where, made)
            return
        self.tally.count(f"{purpose}: converted")
        found = run("verify", new, "--source", old, "--budget", "0", *self._legacy)
        for verdict in found.said.get("verdicts", ()):
            self._judged(where, purpose, verdict)
        if found.code:
            self.tally.accuse(f"{where}: verify ended with {found.code}: {found.said.get('error')}")

    def _refused(self, where: str, made: Ending) -> None:
        said = f"{where}: exit {made.code}: {made.said.get('error')}"
        if made.code == _FAULT:
            self.tally.accuse(said)
        self.tally.count(f"refused with {made.code}")
        print(said, flush=True)

    def _judged(self, where: str, purpose: str, verdict: dict[str, Any]) -> None:
        summary = str(verdict["summary"])
        if summary.startswith(_UNASKED) or summary.endswith(_NOTHING_TO_RESUME):
            return
        self.tally.count(f"{purpose}: {verdict['rung']}: {verdict['status']}")
        if verdict["status"] != "pass":
            details = "; ".join(map(str, verdict["details"][:3]))
            said = f"{where}: {verdict['rung']} {verdict['status']}: {summary} ({details})"
            print(said, flush=True)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("trainings", type=Path)
    parser.add_argument("--legacy-python", type=Path)
    parser.add_argument("--for", action="append", choices=_PURPOSES, dest="purposes")
    parser.add_argument("--only", default="", help="trainings whose names hold this")
    parser.add_argument("--save", type=Path)
    options = parser.parse_args(arguments)
    legacy = ["--legacy-python", str(options.legacy_python)] if options.legacy_python else []
    with tempfile.TemporaryDirectory() as folder:
        campaign = Campaign(legacy, Path(folder))
        found = sorted(file.parent for file in options.trainings.glob("*/old.pth"))
        for training in (path for path in found if options.only in path.name):
            for purpose in options.purposes or _PURPOSES:
                campaign.attempt(training, purpose)
    return campaign.tally.finish(options.save)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
