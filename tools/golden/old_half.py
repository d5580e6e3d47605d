"""What each train_*.py does in its own environment: make a golden folder, all but the new half."""

import argparse
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

SCRATCH = Path("/tmp/golden")
# Attention over the few positions of a 64 x 64 image hardly tells twelve queries apart.
QUERY_GAIN = 4

Case = TypeVar("Case")


@dataclass(frozen=True)
class Maker(Generic[Case]):
    """How one release trains a case, publishes it, records it and describes it."""

    scratch: Path
    train: Callable[[Case], Path]
    publish: Callable[[Case, Path], Path]
    record: Callable[[Case, Path, Path], dict[str, Any]]
    facts: Callable[[Case, Path, dict[str, Any]], dict[str, Any]]

    def make(self, case: Any, folder: Path) -> None:
        """The old half of a golden folder."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        os.chdir(self.scratch)
        trained = self.train(case)
        published = case.container == "legacy"
        source = self.publish(case, trained) if published else trained
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        name = source.name if published else "old.pth"
        checkpoint = Path(shutil.copyfile(source, folder / name))
        content = self.facts(case, checkpoint, self.record(case, checkpoint, folder))
        (folder / "case.json").write_text(json.dumps(content, indent=2) + "\n")

    def main(self, description: "str | None", cases: Mapping[str, Case]) -> None:
        """The command line: one case."""
        parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
        parser.add_argument("case", choices=cases)
        parser.add_argument("out_dir", type=Path, help="the case's folder is made in here")
        args = parser.parse_args()
        self.make(cases[args.case], args.out_dir.resolve() / args.case)


def wait_for(stem: Path) -> Path:
    """publish_model.py leaves its `mv` running when it exits."""
    for _ in range(100):
        if found := list(stem.parent.glob(f"{stem.name}-????????.pth")):
            return found[0]
        time.sleep(0.1)
    raise FileNotFoundError(f"{stem}-*.pth")
