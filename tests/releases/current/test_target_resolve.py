"""Which of cache and child answers, and what is remembered."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from mm_ckpt_migrate.releases.allowed.request import TargetRequest, make_request
from mm_ckpt_migrate.releases.current import cache, wire
from mm_ckpt_migrate.releases.current.process import LoadOutcome, TargetProcess
from mm_ckpt_migrate.releases.current.resolve import Target
from mm_ckpt_migrate.schema import TargetModel

FINE = LoadOutcome(ok=True, missing=(), unexpected=(), errors=(), refused=None, torch="2.13.0")


class FakeProcess:
    """A child that builds a model with one tensor, and counts how often it is asked."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.started = self.closed = 0

    def __call__(self, request: TargetRequest) -> TargetProcess:
        self.started += 1
        return cast(TargetProcess, self)

    def payload(self) -> Mapping[str, Any]:
        tensors = [[self.name, [1], "float32"]]
        return {
            "tensors": tensors,
            "modules": {},
            "ties": [],
            "parameters": [self.name],
            "frozen": [],
            "stack": {},
            "device": "cpu",
        }

    def schema(self) -> TargetModel:
        return wire.decode(self.payload(), cached=False)

    def load(self, file: object, kind: str, *, values: bool) -> LoadOutcome:
        return FINE

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def request_() -> TargetRequest:
    return make_request({"type": "ResNet"}, "mmseg")


def test_a_miss_starts_a_child_at_once_and_is_remembered(request_: TargetRequest) -> None:
    child = FakeProcess("a")
    with Target(request_, "k", launch=child) as target:
        assert child.started == 1
        assert not target.schema().cached
    assert child.closed == 1
    assert cache.load("k") is not None


def test_a_hit_starts_none(request_: TargetRequest) -> None:
    child = FakeProcess("a")
    cache.store("k", child.payload())
    with Target(request_, "k", launch=child) as target:
        assert target.schema().cached
        assert target.schema().schema.names == ("a",)
    assert child.started == 0


def test_without_a_key_nothing_is_remembered(request_: TargetRequest, own_cache: Path) -> None:
    with Target(request_, None, launch=FakeProcess("a")) as target:
        target.schema()
    assert not own_cache.exists()


def test_loading_starts_a_child_even_on_a_hit(request_: TargetRequest) -> None:
    child = FakeProcess("a")
    cache.store("k", child.payload())
    with Target(request_, "k", launch=child) as target:
        assert target.load("file") == FINE
    assert child.started == 1


def test_loading_replaces_a_stale_entry(request_: TargetRequest) -> None:
    cache.store("k", FakeProcess("old").payload())
    with Target(request_, "k", launch=FakeProcess("new")) as target:
        assert target.schema().schema.names == ("old",)
        target.load("file")
        assert target.schema().schema.names == ("new",)
    model = cache.load("k")
    assert model is not None
    assert model.schema.names == ("new",)


def test_no_part_of_the_parents_side_imports_torch() -> None:
    code = (
        "import sys; from mm_ckpt_migrate.releases.current import resolve, stack; "
        "stack.installed(); print({'torch', 'numpy', 'mmengine'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert done.stdout.strip() == "set()"
