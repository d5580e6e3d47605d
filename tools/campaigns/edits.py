"""Change one thing in genuine migrated files, anything, and see that `verify --source` tells.

    python tools/campaigns/edits.py [--cases 3000] [--seed 0] [--jobs 2] [--models] [--save FILE]

Each old checkpoint and training among the tests is migrated in each way in which that can be done,
and a value, a name, an order, a type, a shape, a byte of the new file is changed, wherever it is.
Integrity or keys must fail, or the file be refused. What must not fail is tried as well: the right
file, and the same content written by torch. With `--models` the target models are built, which
takes longest; else the layout of the right file stands for them.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import seeds  # noqa: F401 - puts the tests on the path
from edits_made import edited
from edits_strings import edited as edited_strings
from edits_strings import in_order
from support.files import in_memory
from support.legacy import build_legacy
from support.zips import build_zip, members_of
from tally import Tally, tally_of

from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.checks.keys import check_keys
from mm_ckpt_migrate.convert.options import EMBEDDED, Options, Purpose
from mm_ckpt_migrate.convert.target_config import open_target, read_target_config
from mm_ckpt_migrate.errors import CheckpointError, MigrateError, PlanError
from mm_ckpt_migrate.files.archive.format import Format
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.archive.storages import storage_refs
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.files.checkpoint.weights_only import refused_globals
from mm_ckpt_migrate.files.pickles.emit import emit
from mm_ckpt_migrate.files.pickles.errors import PickleError
from mm_ckpt_migrate.files.pickles.nodes import Node, walk
from mm_ckpt_migrate.files.pickles.parse import parse_whole
from mm_ckpt_migrate.mapping.rules.library import Library, load_rules
from mm_ckpt_migrate.names import is_buffer
from mm_ckpt_migrate.schema import TargetModel
from mm_ckpt_migrate.verdicts import Status
from mm_ckpt_migrate.verify.files import files_of
from mm_ckpt_migrate.verify.rungs import static_rungs

_TITLE = "Edits of genuine migrated files"
_TESTS: Final = Path(__file__).resolve().parents[2] / "tests"
# In a stamp, who made the file, and what was noted of how since a certain version: without these,
# all else is as it was, and the verdict says so.
_SAYS_LESS: Final = tuple(f"meta.mm_ckpt_migrate.{name}:" for name in ("tool", "inference", "as_is"))
_WHOLE_STAMP: Final = "meta.mm_ckpt_migrate:"

WAYS: Final[Mapping[str, Mapping[str, Any]]] = {
    "resume": {},
    "inference": {"purpose": Purpose.INFERENCE},
    "raw": {"purpose": Purpose.INFERENCE, "raw_weights": True},
    "as is": {"keep_as_is": True},
    "safetensors": {"format": Format.SAFETENSORS},
}


@dataclass(frozen=True, slots=True)
class Task:
    """An old file, a way to migrate it, and how many edits to make."""

    old: Path
    way: str
    cases: int
    seed: int = 0
    built: bool = False

    @property
    def name(self) -> str:
        return f"{self.old.parent.name}/{self.old.name[:30]} {self.way}"


@dataclass(frozen=True, slots=True)
class Right:
    """A right file, the old one, and the model that both are for."""

    new: Path
    old: Checkpoint
    model: TargetModel
    library: Library

    def judge(self, data: bytes) -> str:
        """What tells of a file with these bytes: a rung, `refused`, `untold`; or ""."""
        with in_memory(data) as fd:
            return self.judge_file(Path(f"/proc/self/fd/{fd}"))

    def judge_file(self, path: Path) -> str:
        try:
            with Source(path) as opened:
                files = files_of(open_checkpoint(opened), self.old, self.library)
                verdicts = (
                    static_rungs.integrity(files, self.model),
                    check_keys(files.output.schema, self.model),
                )
        except (CheckpointError, PlanError):
            return "refused"
        failed = [v.rung.value for v in verdicts if v.status is Status.FAIL]
        untold = "untold" if verdicts[0].status is Status.SKIPPED else ""
        return failed[0] if failed else untold


def run(task: Task) -> Tally:
    """One file's count."""
    with ExitStack() as stack:
        new = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "new.pth"
        library = load_rules()
        old = open_checkpoint(stack.enter_context(Source(task.old)))
        cfg = EMBEDDED if task.built else "-"
        try:
            convert("auto", cfg, task.old, new, Options(build=task.built, **WAYS[task.way]))
        except MigrateError:  # it has one set of weights
            assert task.way == "raw"
            return Tally(_TITLE)
        model = layout_of(new)
        if task.built:
            config = read_target_config(EMBEDDED, old, library.families)
            model = stack.enter_context(open_target(config, Options())).schema()
        return count(task, Right(new, old, model, library))


def layout_of(path: Path) -> TargetModel:
    """A file's own layout as that of a model; other tests hold it against built ones."""
    with Source(path) as source:
        schema = open_checkpoint(source).schema
    later = {name for names in schema.ties for name in names[1:]}
    parameters = tuple(n for n in schema.names if not is_buffer(n) and n not in later)
    return TargetModel(schema=schema, parameters=parameters, frozen=(), stack={}, device="meta")


def count(task: Task, right: Right) -> Tally:
    """Edit a right file and have the results judged."""
    tally, luck = Tally(_TITLE), random.Random(f"{task.seed} {task.name}")
    if found := right.judge_file(right.new):
        tally.accuse(f"{task.name}: the right file: {found}")
    made = _Strings(right.new) if task.way == "safetensors" else _Pickled(right.new)
    for data in made.respelled():
        tally.count("the same content, spelled otherwise")
        if found := right.judge(data):
            tally.accuse(f"{task.name}: the same content, spelled otherwise: {found}")
    for _ in range(task.cases):
        said, data = made.edited(luck)
        found = right.judge(data)
        kind, _, where = said.partition(": ")
        tally.count(f"edits: {kind}")
        if where.startswith(_WHOLE_STAMP):
            tally.count(f"the whole stamp: {found or 'the rest is right'}")
        elif where.startswith(_SAYS_LESS) and not found:
            tally.count("of the stamp, who made the file and how: the rest is right")
        elif not found:
            tally.accuse(f"{task.name}: nothing tells of: {said}")
        else:
            tally.count(f"told by {found}")
    return tally


class _Pickled:
    """A zip or legacy file, to be edited."""

    def __init__(self, path: Path) -> None:
        with Source(path) as source:
            checkpoint = open_checkpoint(source)
            assert checkpoint.tree is not None
            self._format = checkpoint.format
            self._plain = not refused_globals(walk(checkpoint.tree.root))
            self.pickle = emit(checkpoint.tree.root)
            self.storages = _storages(checkpoint)
        self._path = path

    def edited(self, luck: random.Random, kind: str | None = None) -> tuple[str, bytes]:
        said, content = edited(self.pickle, self.storages, luck, kind)
        return said, self._file(content.root, content.storages)

    def respelled(self) -> list[bytes]:
        """Laid out anew; and what torch makes of the file, where it loads it at its defaults."""
        again = [self._file(parse_whole(self.pickle), self.storages)]
        if self._plain:
            import torch

            out = io.BytesIO()
            torch.save(torch.load(self._path), out)
            again.append(out.getvalue())
        return again

    def _file(self, root: Node, storages: Mapping[str, bytes]) -> bytes:
        pickle = emit(root)
        try:
            refs = storage_refs(walk(root))
        except PickleError:  # what names a storage was edited, which the reader has to refuse
            refs = {}
        used = {key: data for key, data in storages.items() if key in refs or not refs}
        if self._format is Format.LEGACY:
            counted = {k: (refs[k].numel if refs else 0, used[k]) for k in sorted(used)}
            return build_legacy(pickle, storages=counted)
        return build_zip(members_of(pickle, used))


class _Strings:
    """A safetensors file, to be edited."""

    def __init__(self, path: Path) -> None:
        self._data = path.read_bytes()

    def edited(self, luck: random.Random) -> tuple[str, bytes]:
        return edited_strings(self._data, luck)

    def respelled(self) -> list[bytes]:
        """With its header in another order."""
        return [in_order(self._data)]


def _storages(checkpoint: Checkpoint) -> dict[str, bytes]:
    return {
        key: checkpoint.source.read(extent.offset, extent.size) for key, extent in checkpoint.extents.items()
    }


def old_files() -> list[Path]:
    return sorted((*_TESTS.glob("golden/*/*.pth"), *_TESTS.glob("resume/*.pth")))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--models", action="store_true")
    parser.add_argument("--save", type=Path)
    wanted = parser.parse_args()
    pairs = [(old, way) for old in old_files() for way in WAYS]
    each = -(-wanted.cases // len(pairs))
    tasks = [Task(old, way, each, wanted.seed, wanted.models) for old, way in pairs]
    return tally_of(_TITLE, run, tasks, wanted.jobs).finish(wanted.save)


if __name__ == "__main__":
    sys.exit(main())
