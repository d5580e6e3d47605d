"""Give the tensors of genuine models to wrong names, and see that the ladder tells every time.

    python tools/campaigns/mappings.py [--cases 3000] [--seed 0] [--jobs 2] [--forwards 20]
        [--save FILE]

Each old checkpoint among the tests is migrated, and wrong files are made of the right one: tensors
of one shape exchanged, dropped, doubled, added, renamed, transposed, layers shifted. Integrity
(with the old file) or keys must fail for each that changes a value. The forward rung has no old
file to compare with: it is asked about `--forwards` exchanges of each model, and what no output
sees is counted apart.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import seeds  # noqa: F401 - puts the tests on the path
from mappings_wrong import Wrong, apply, transposed, wrong_mappings
from support.legacy import build_legacy
from support.zips import build_zip, members_of
from tally import Tally, tally_of

from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.checks.keys import check_keys
from mm_ckpt_migrate.convert.options import Options
from mm_ckpt_migrate.convert.target_config import open_target, read_target_config
from mm_ckpt_migrate.files.archive.format import Format
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.archive.storages import storage_refs
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.files.checkpoint.tensors import read_tensors
from mm_ckpt_migrate.files.pickles.emit import emit
from mm_ckpt_migrate.files.pickles.nodes import Mutable, walk
from mm_ckpt_migrate.mapping.rules.library import load_rules
from mm_ckpt_migrate.releases.process import ReleaseProcess
from mm_ckpt_migrate.schema import TargetModel
from mm_ckpt_migrate.verdicts import Status
from mm_ckpt_migrate.verify.files import Files, open_files
from mm_ckpt_migrate.verify.raw_outputs import compare, largest_of, model_request
from mm_ckpt_migrate.verify.rungs import static_rungs
from mm_ckpt_migrate.verify.rungs.forward import TOLERANCE, Image, Side

_TITLE = "Wrong mappings of genuine models"
GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "golden"


@dataclass(frozen=True, slots=True)
class Task:
    """A model, and how many wrong mappings to make of it."""

    folder: Path
    cases: int
    seed: int = 0
    forwards: int = 0

    @property
    def old(self) -> Path:
        (found,) = self.folder.glob("*.pth")
        return found


class Model:
    """A right file, to be made wrong."""

    def __init__(self, files: Files, model: TargetModel) -> None:
        self.files = files
        self.model = model
        self.right = files.output
        assert self.right.tree is not None
        self.root, self.state_dict = self.right.tree.root, self.right.tree.state_dict
        self.averaged = self.right.tree.ema
        self.storages = {
            key: self.right.source.read(extent.offset, extent.size)
            for key, extent in self.right.extents.items()
        }
        self.means = self._meaning(self.storages)

    def judge(self, wrong: Wrong) -> tuple[bool, str]:
        """Whether it changes a value; and the first rung that fails, or ""."""
        where = self.averaged if wrong.averaged else self.state_dict
        assert isinstance(where, Mutable)
        storages = dict(self.storages)
        if wrong.moved:
            tensor = (self.right.averaged if wrong.averaged else self.right.tensors)[wrong.turned]
            storages[tensor.storage] = transposed(storages[tensor.storage], tensor)
        restore = apply(where, wrong)
        try:
            changed = self._meaning(storages) != self.means
            data = self._file(storages)
        finally:
            restore()
        with _opened(data, self.right.source.path) as output:
            return changed, self.failing(output)

    def failing(self, output: Checkpoint) -> str:
        """The first rung that fails for a file, or ""."""
        files = replace(self.files, output=output)
        verdicts = static_rungs.integrity(files, self.model), check_keys(output.schema, self.model)
        return next((v.rung.value for v in verdicts if v.status is Status.FAIL), "")

    def _meaning(self, storages: Mapping[str, bytes]) -> list[object]:
        """Every name's value."""
        sums = {key: zlib.crc32(data) for key, data in storages.items()}
        named = [
            (name, tensor.spec, tensor.stride, tensor.offset, sums[tensor.storage])
            for mapping in (self.state_dict, self.averaged)
            if mapping is not None
            for name, tensor in read_tensors(mapping).items()
        ]
        return list(named)

    def _file(self, storages: Mapping[str, bytes]) -> bytes:
        pickle, refs = emit(self.root), storage_refs(walk(self.root))
        used = {key: data for key, data in storages.items() if key in refs}
        if self.right.format is Format.LEGACY:
            counted = {key: (refs[key].numel, used[key]) for key in sorted(used)}
            return build_legacy(pickle, storages=counted)
        return build_zip(members_of(pickle, used))


@contextmanager
def _opened(data: bytes, path: Path) -> Iterator[Checkpoint]:
    fd = os.memfd_create("wrong")
    try:
        with open(fd, "wb", closefd=False) as file:
            file.write(data)
        with Source(path, fd) as source:
            yield open_checkpoint(source)
    finally:
        os.close(fd)


def run(task: Task) -> Tally:
    """One model's count."""
    with ExitStack() as stack:
        new = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "new.pth"
        convert("auto", "-", task.old, new, Options(build=False))
        library = load_rules()
        config = read_target_config(str(task.folder / "new_config.py"), None, library.families)
        target = stack.enter_context(open_target(config, Options()))
        model = Model(open_files(stack, new, task.old, library), target.schema())
        process = stack.enter_context(ReleaseProcess())
        return count(task, model, Side(process, model_request(config.config, config.origin), new))


def count(task: Task, model: Model, side: Side | None) -> Tally:
    """Make a model's wrong files and judge them; with `side`, by the outputs of some, too."""
    tally, name = Tally(_TITLE), task.folder.name
    if rung := model.failing(model.right):
        tally.accuse(f"{name}: the right file fails {rung}")
    luck, asked = random.Random(f"{task.seed} {name}"), 0
    for wrong in wrong_mappings(model.right, luck, task.cases):
        changed, rung = model.judge(wrong)
        tally.count(f"cases: {wrong.kind}")
        if not changed:
            tally.count(f"changes no value, and {rung or 'no rung'} fails")
        elif not rung:
            tally.accuse(f"{name}: nothing tells of: {wrong}")
        else:
            tally.count(f"caught by {rung}")
        strict = wrong.kind in ("exchange", "shift") and not wrong.averaged
        if side is not None and changed and strict and asked < task.forwards:
            asked += 1
            _ask_forward(tally, side, task.folder / "reference.npz", wrong)
    return tally


def _ask_forward(tally: Tally, side: Side, record: Path, wrong: Wrong) -> None:
    """The outputs of the model with the wrong mapping, against those of the old release."""
    names = {str(source): name for name, source in wrong.table.items()}
    made = side.send(Image(record=record), "wrong.npz", names=names)
    side.receive(1)
    differences, _ = compare(side.process, record, made)
    largest = largest_of(d.largest / max(1.0, d.scale) for d in differences)
    if not largest <= TOLERANCE:
        tally.count("forward alone tells of it")
    elif largest:
        tally.count("forward alone: the outputs differ by less than its tolerance")
    else:
        tally.count("forward alone: no output sees it")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=3000)
    parser.add_argument("--forwards", type=int, default=20, help="for each model")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--save", type=Path)
    wanted = parser.parse_args()
    folders = sorted(path for path in GOLDEN.iterdir() if (path / "case.json").is_file())
    each = -(-wanted.cases // len(folders))
    tasks = [Task(folder, each, wanted.seed, wanted.forwards) for folder in folders]
    return tally_of(_TITLE, run, tasks, wanted.jobs).finish(wanted.save)


if __name__ == "__main__":
    sys.exit(main())
