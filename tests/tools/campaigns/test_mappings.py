"""M1 to M5: a short slice of the mappings campaign, and what it says of a ladder that is blind."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import mappings
import pytest
from mappings_wrong import Wrong, wrong_mappings

from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.checks import integrity
from mm_ckpt_migrate.convert.options import Options
from mm_ckpt_migrate.mapping.rules.library import load_rules
from mm_ckpt_migrate.schema import TargetModel
from mm_ckpt_migrate.verify.files import open_files
from mm_ckpt_migrate.verify.rungs import static_rungs
from mm_ckpt_migrate.verify.whole.compare import Compared

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module", params=["mask2former_swin", "maskformer_r18"])
def task(request: pytest.FixtureRequest) -> mappings.Task:
    return mappings.Task(mappings.GOLDEN / request.param, 60)


@pytest.fixture(scope="module")
def model(task: mappings.Task, tmp_path_factory: pytest.TempPathFactory) -> Iterator[mappings.Model]:
    """Its own layout stands for that of a built model, which other tests hold it against."""
    new = tmp_path_factory.mktemp("right") / "new.pth"
    convert("auto", "-", task.old, new, Options(build=False))
    with ExitStack() as stack:
        files = open_files(stack, new, task.old, load_rules())
        yield mappings.Model(
            files, TargetModel(schema=files.output.schema, parameters=(), frozen=(), stack={}, device="meta")
        )


def test_a_slice(task: mappings.Task, model: mappings.Model) -> None:
    tally = mappings.count(task, model, None)
    assert tally.wrong == []
    caught = sum(times for what, times in tally.counts.items() if what.startswith("caught"))
    assert caught > 40


def test_a_blind_ladder_is_accused(
    task: mappings.Task, model: mappings.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(integrity._Comparer, "same", lambda *_: True)
    monkeypatch.setattr(static_rungs, "compare_whole", lambda *_: Compared())
    tally = mappings.count(task, model, None)
    kinds = Counter(line.split(": nothing tells of: ")[1].split()[0] for line in tally.wrong)
    assert {"exchange", "duplicate", "transpose"} <= set(kinds)
    assert not {"drop", "add", "rename"} & set(kinds)  # these the keys tell, without the values


def test_what_changes_no_value_is_known(model: mappings.Model) -> None:
    counters = [n for n in model.right.tensors if n.endswith("num_batches_tracked")]
    if not counters:
        pytest.skip("it has no batch norms")
    first, second = counters[:2]
    # Equal values; but storages out of torch's order are read wrongly under mmap, and told.
    exchanged = Wrong("exchange", {first: second, second: first})
    assert model.judge(exchanged) == (False, "integrity")


def test_all_kinds_are_made(model: mappings.Model) -> None:
    made = list(wrong_mappings(model.right, random.Random(0), 200))
    assert {wrong.kind for wrong in made} == {
        "exchange",
        "drop",
        "duplicate",
        "add",
        "transpose",
        "shift",
        "rename",
    }
    assert {wrong.moved for wrong in made if wrong.kind == "transpose"} == {True, False}


def test_the_right_file_is_right_afterwards(model: mappings.Model) -> None:
    for wrong in wrong_mappings(model.right, random.Random(1), 10):
        model.judge(wrong)
    assert model.failing(model.right) == ""
    assert model.judge(Wrong("exchange", {})) == (False, "")


@pytest.mark.mm
@pytest.mark.thorough
def test_forward_tells_of_a_file_whose_stamp_agrees_with_it() -> None:
    tally = mappings.run(mappings.Task(mappings.GOLDEN / "maskformer_r18", 40, 0, 8))
    assert tally.wrong == []
    assert tally.counts["forward alone tells of it"] >= 5
