"""A short slice of the edits campaign, and what it says of a `verify` that is blind."""

from __future__ import annotations

import random
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import edits
import pytest
from edits_made import EDITS, edited

from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.checks import digests
from mm_ckpt_migrate.convert.options import Options
from mm_ckpt_migrate.files.archive.image import Extent
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.files.pickles.emit import emit
from mm_ckpt_migrate.mapping.rules.library import load_rules
from mm_ckpt_migrate.verify.rungs import static_rungs
from mm_ckpt_migrate.verify.whole.compare import Compared

pytest.importorskip("torch")
pytestmark = pytest.mark.thorough

Open = Callable[[Path], Checkpoint]
TRAINING = edits._TESTS / "resume" / "maskformer_r18.pth"
(SMALL,) = (edits._TESTS / "golden" / "rpn_r18").glob("*.pth")


@pytest.fixture
def opened() -> Iterator[Open]:
    with ExitStack() as stack:
        yield lambda path: open_checkpoint(stack.enter_context(Source(path)))


def right_file(task: edits.Task, folder: Path, opened: Open) -> edits.Right:
    new = folder / "new.pth"
    convert("auto", "-", task.old, new, Options(build=False, **edits.WAYS[task.way]))
    return edits.Right(new, opened(task.old), edits.layout_of(new), load_rules())


@pytest.mark.parametrize("way", ["resume", "inference", "as is", "safetensors"])
@pytest.mark.parametrize("old", [TRAINING, SMALL], ids=["training", "legacy"])
def test_a_slice(old: Path, way: str, tmp_path: Path, opened: Open) -> None:
    task = edits.Task(old, way, 16)
    tally = edits.count(task, right_file(task, tmp_path, opened))
    assert tally.wrong == []
    assert tally.counts["told by integrity"] > 6


def test_a_verify_that_sees_tensors_alone_is_accused(
    tmp_path: Path, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = edits.Task(TRAINING, "resume", 40)
    right = right_file(task, tmp_path, opened)
    monkeypatch.setattr(static_rungs, "compare_whole", lambda *_: Compared())
    wrong = edits.count(task, right).wrong
    parts = Counter(line.split(": ")[3].split(".")[0] for line in wrong)
    assert len(wrong) > 8
    assert {"meta", "message_hub"} <= set(parts)


def test_a_verify_that_takes_the_crc_for_the_bytes_is_accused(
    tmp_path: Path, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crc(checkpoint: Checkpoint, extent: Extent, _: object) -> bytes:
        data = checkpoint.source.read(extent.offset, extent.size)
        return zlib.crc32(data).to_bytes(4, "little")

    right = right_file(edits.Task(SMALL, "inference", 0), tmp_path, opened)
    made = edits._Pickled(right.new)
    forged = made.edited(random.Random(0), "forge")[1]
    assert right.judge(forged) == "integrity"
    monkeypatch.setattr(digests, "_read", crc)
    assert right.judge(forged) == ""
    assert right.judge(made.edited(random.Random(0), "flip")[1]) == "integrity"


def test_all_kinds_are_made(tmp_path: Path, opened: Open) -> None:
    right = right_file(edits.Task(TRAINING, "resume", 0), tmp_path, opened)
    made = edits._Pickled(right.new)
    for kind in EDITS:
        said, content = edited(made.pickle, made.storages, random.Random(0), kind)
        assert said.startswith(f"{kind}: ")
        assert emit(content.root) != made.pickle or content.storages != made.storages
    parts = set(content.slots)
    assert {"state_dict", "_metadata", "meta.cfg", "optimizer.state", "param_schedulers"} <= parts
