"""One task wherever it runs: twice, too late, on the wrong machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from distributed import files_below, found_in, nobody, prepared

from mm_ckpt_migrate.batch.engines.task import Setup, Urls, perform, version, work
from mm_ckpt_migrate.batch.item import Item, Status
from mm_ckpt_migrate.batch.options import Batch
from mm_ckpt_migrate.batch.pool import Pool
from mm_ckpt_migrate.files.archive import scratch


@pytest.fixture
def given(zoo: Path, tmp_path: Path) -> tuple[Setup, Item]:
    batch = prepared(zoo, tmp_path / "new")
    with Pool(batch, 1, nobody) as pool:
        item = next(i for i in found_in(batch, pool) if i.source == "yolact_r18.pth")
    return Setup(batch, Urls(), version(batch)), item


def test_tasks_that_run_twice_agree(
    given: tuple[Setup, Item], locally: tuple[Path, dict[str, object]]
) -> None:
    setup, item = given
    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(perform, setup.to_json(), {"item": item.to_json()}) for _ in "ab"]
    first, second = (future.result() for future in both)
    assert first["status"] == second["status"] == Status.MIGRATED
    assert first["result"] == second["result"]
    assert first["read"] == vars_of_signature(item)
    made = files_below(setup.batch.results)
    assert made == {item.source: files_below(locally[0])[item.source]}


def vars_of_signature(item: Item) -> object:
    return item.to_json()["signature"]


def test_a_zombie_that_ends_after_its_batch_writes_nothing(given: tuple[Setup, Item]) -> None:
    setup, item = given
    shutil.rmtree(setup.batch.scratch)
    late = work(item, setup)
    assert late.status is Status.REFUSED
    assert files_below(setup.batch.results) == {}


def test_a_zombie_with_other_options_replaces_nothing(given: tuple[Setup, Item]) -> None:
    setup, item = given
    assert work(item, setup).done
    before = files_below(setup.batch.results)
    late = work(replace(item, family="", config="", action=item.action.COPY), setup)
    assert late.status is Status.REFUSED
    assert "another file" in late.summary
    assert files_below(setup.batch.results) == before


def _another_folder(setup: Setup) -> Setup:
    return replace(setup, token=str(setup.batch.state / "seen-0"))


def _another_version(setup: Setup) -> Setup:
    return replace(setup, version="0" * 64)


def _no_sources(setup: Setup) -> Setup:
    batch: Batch = replace(setup.batch, sources=setup.batch.results / "none")
    return replace(setup, batch=batch)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_another_folder, "does not see the same folder"),
        (_another_version, "another version"),
        (_no_sources, "does not see it"),
    ],
)
def test_a_machine_that_is_set_up_otherwise_is_told_of(
    given: tuple[Setup, Item], change: Callable[[Setup], Setup], words: str
) -> None:
    setup, item = given
    outcome = work(item, change(setup))
    assert outcome.status is Status.REFUSED
    assert words in outcome.summary
    assert files_below(setup.batch.results) == {}


def test_what_a_dead_task_left_is_swept_and_what_a_live_one_has_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with scratch.scratch_folder() as live:
        (live / "file").touch()
        dead = live.with_name("dead")
        dead.mkdir()
        (dead / "file").touch()
        with scratch.scratch_folder() as other:
            assert sorted(live.parent.iterdir()) == sorted([live, other])
        assert (live / "file").exists()
    assert os.listdir(live.parent) == []
