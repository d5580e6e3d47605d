"""A real Ray: two nodes, one of which is killed in the middle."""

from __future__ import annotations

import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from distributed import done, files_below, found_in, nobody, prepared

from mm_ckpt_migrate.batch.engines import ray_engine
from mm_ckpt_migrate.batch.engines.ray_engine import RayEngine
from mm_ckpt_migrate.batch.engines.task import Urls, perform
from mm_ckpt_migrate.batch.engines.urls import UrlFolder
from mm_ckpt_migrate.batch.item import Item, Outcome, Status
from mm_ckpt_migrate.batch.options import Batch, BatchOptions
from mm_ckpt_migrate.batch.run import run_batch
from mm_ckpt_migrate.errors import MissingSoftwareError

ray = pytest.importorskip("ray", reason="the ray extra is not installed")

SMALL = {"num_cpus": 1, "object_store_memory": 80 << 20}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={**SMALL, "include_dashboard": False})
    try:
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


def test_the_results_are_the_same_with_a_node_killed(cluster: Any, zoo: Path, tmp_path: Path) -> None:
    sources = tmp_path / "old"
    for number in range(3):
        shutil.copytree(zoo, sources / f"{number}")
    options = BatchOptions(build=False)
    batch, here = (Batch(sources, tmp_path / name, options) for name in ("new", "here"))
    on_ray = partial(RayEngine, address=cluster.address)
    victim = cluster.add_node(**SMALL)
    watcher = Watching(6, lambda: cluster.remove_node(victim, allow_graceful=False))
    run_batch(batch, jobs=4, watcher=watcher, engine=on_ray)
    assert len(cluster.list_all_nodes()) == 1
    assert set(watcher.starts.values()) > {1}, "no task was lost with the node"
    run_batch(here, jobs=1, watcher=Watching())
    assert files_below(batch.results) == files_below(here.results)
    assert len(files_below(batch.results)) == 12 + len(["batch.json"])
    assert sorted(path.name for path in batch.state.iterdir()) == ["journal.sqlite", "lock"]
    again = Watching()
    run_batch(batch, jobs=4, watcher=again, engine=on_ray)
    assert not again.starts, "what was done on a cluster is done"


class Watching:
    """Counts what is started, and does something in the middle."""

    def __init__(self, number: int = 0, action: Callable[[], None] | None = None) -> None:
        self.starts: Counter[str] = Counter()
        self.number, self.action = number, action

    def started(self, item: Item, worker: int) -> None:
        self.starts[item.source] += 1
        if self.action and self.starts.total() == self.number:
            threading.Timer(0.5, self.action).start()

    def found(self, count: int, undecided: int) -> None: ...
    def decided(self, item: Item) -> None: ...
    def planned(self, items: Sequence[Item], left: Sequence[Item]) -> None: ...
    def ended(self, item: Item, outcome: Outcome) -> None: ...


def test_a_file_that_kills_whatever_touches_it_is_set_aside(
    cluster: Any, zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts: Counter[str] = Counter()

    def fatal(setup: Mapping[str, Any], message: Mapping[str, Any]) -> dict[str, Any]:
        if message["item"]["source"] == "rpn_r18.pth":
            os.kill(os.getpid(), 9)
        return perform(setup, message)

    monkeypatch.setattr(ray_engine, "perform", fatal)
    batch = prepared(zoo, tmp_path / "new")
    with RayEngine(batch, 0, lambda item, _: starts.update([item.source]), address=cluster.address) as engine:
        items = [i for i in found_in(batch, engine) if i.source in ("rpn_r18.pth", "yolact_r18.pth")]
        outcomes = {i.source: outcome for i, outcome in engine.run(items)}
    assert outcomes["rpn_r18.pth"].status is Status.FAILED
    assert "lost 4 times" in outcomes["rpn_r18.pth"].summary
    assert outcomes["yolact_r18.pth"].done
    assert starts == {"rpn_r18.pth": 4, "yolact_r18.pth": 1}
    assert not list(batch.state.glob("seen-*"))


def test_from_urls_to_urls(
    cluster: Any, s3: str, tmp_path: Path, locally: tuple[Path, dict[str, object]]
) -> None:
    # The node's processes were started before the server: they get its address with the job.
    batch, urls = prepared(tmp_path, tmp_path / "state"), Urls(s3, "s3://new/ray")
    names = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")
    ray.shutdown()
    ray.init(
        address=cluster.address,
        log_to_driver=False,
        runtime_env={"env_vars": {name: os.environ[name] for name in names}},
    )
    with RayEngine(batch, 0, nobody, urls=urls) as engine:
        items = list(engine.decide(UrlFolder(s3).find()))
        outcomes = done(engine, items)
    results, expected = locally
    assert outcomes == expected
    store = UrlFolder(urls.results)
    for found in store.find():
        store.fetch(found.source, found.signature, tmp_path / "new" / found.source)
    assert files_below(tmp_path / "new") == files_below(results)


def test_only_tasks_that_verify_ask_for_gpus(
    cluster: Any, zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tell(setup: Mapping[str, Any], message: Mapping[str, Any]) -> dict[str, Any]:
        """The GPUs that the task was given, in place of a summary."""
        outcome = Outcome(Status.MIGRATED, "").to_json()
        return {**outcome, "summary": f"{len(ray.get_gpu_ids())} in {sorted(message)}"}

    monkeypatch.setattr(ray_engine, "perform", tell)
    node = cluster.add_node(**SMALL, num_gpus=1)
    batch = prepared(zoo, tmp_path / "new")
    try:
        with RayEngine(batch, 1, nobody, address=cluster.address, num_gpus=1) as engine:
            items = [i for i in found_in(batch, engine) if i.source == "yolact_r18.pth"]
            ((item, made),) = engine.run(items)
            ((_, proven),) = engine.prove([(item, made)])
    finally:
        cluster.remove_node(node)
    assert made.summary == "0 in ['item']"
    assert proven.summary == "1 in ['item', 'outcome']"


def test_gpus_that_no_node_has_are_a_sentence(cluster: Any, tmp_path: Path) -> None:
    batch = prepared(tmp_path, tmp_path / "new")
    with (
        pytest.raises(MissingSoftwareError, match="no node of the Ray cluster has 1 GPUs"),
        RayEngine(batch, 1, nobody, address=cluster.address, num_gpus=1),
    ):
        pass


def test_no_cluster_is_a_sentence(tmp_path: Path) -> None:
    ray.shutdown()
    batch = prepared(tmp_path, tmp_path / "new")
    with (
        pytest.raises(MissingSoftwareError, match="no Ray cluster can be reached at 127"),
        RayEngine(batch, 1, nobody, address="127.0.0.1:9"),
    ):
        pass
