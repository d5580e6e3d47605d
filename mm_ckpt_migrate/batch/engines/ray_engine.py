"""The Ray engine: each input a task on a cluster; only plain reports travel."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from mm_ckpt_migrate.batch.engine import Started
from mm_ckpt_migrate.batch.engines.task import Setup, Urls, perform, unseen, version
from mm_ckpt_migrate.batch.find import Found
from mm_ckpt_migrate.batch.item import Item, Outcome, Status, item_from_json, outcome_from_json
from mm_ckpt_migrate.batch.options import Batch
from mm_ckpt_migrate.batch.pool import Pool
from mm_ckpt_migrate.errors import ExitCode, MissingSoftwareError
from mm_ckpt_migrate.names import safe_text

# Within a task, a file that costs a worker its life is set aside as it is without Ray. This is for
# nodes that go, and for whatever kills the task itself.
_ATTEMPTS: Final = 4
_TICK: Final = 1.0
_PATIENCE: Final = 10.0


@dataclass(frozen=True, slots=True)
class _Task:
    about: Item | Found
    message: dict[str, Any]
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class _Lost:
    """No answer.

    Attributes:
        again: whether another attempt may help.
    """

    cause: str
    again: bool


class RayEngine:
    """Of the same shape as `Pool`. A context manager: leaving it cancels what runs.

    A task may run twice, or end long after its node was given up: each makes the same bytes and
    gives them their name at once, so that it does not matter who is last. The journal is the
    driver's alone.
    """

    def __init__(
        self,
        batch: Batch,
        jobs: int,
        started: Started,
        held: Sequence[int] = (),
        *,
        urls: Urls | None = None,
        address: str = "auto",
        num_gpus: float = 0.0,
    ) -> None:
        """
        Args:
            jobs: tasks at once; 0 for as many as the cluster has CPUs at any time.
            started: told of each item and of the number of its place among the tasks.
            held: of no use on other machines.
            urls: where sources and results are behind URLs.
            address: of the cluster.
            num_gpus: what a task that verifies asks for.
        """
        self._batch = batch
        self._jobs = jobs
        self._started = started
        self._urls = urls or Urls()
        self._address = address
        self._num_gpus = num_gpus
        self._running: dict[Any, tuple[_Task, int]] = {}
        self._token: Path | None = None
        self._ours = False

    def __enter__(self) -> RayEngine:
        """
        Raises:
            MissingSoftwareError: Ray is not installed, or there is no such cluster, or nothing in
                it has the GPUs.
        """
        self._ours = _connect(self._address)
        import ray

        gpus = max((node["Resources"].get("GPU", 0.0) for node in _alive(ray)), default=0.0)
        if self._num_gpus > gpus:
            self._leave()
            raise MissingSoftwareError(
                f"no node of the Ray cluster has {self._num_gpus:g} GPUs",
                hint="Start one with `ray start --num-gpus`, or give a smaller --num-gpus.",
            )
        self._remote = _remote(0.0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import ray

        for reference in self._running:
            ray.cancel(reference, force=True)
        if self._token is not None:
            self._token.unlink(missing_ok=True)
        self._leave()

    def decide(self, found: Iterable[Found]) -> Iterator[Item]:
        """What is to become of each input, in no order. Files in folders are looked into here."""
        if not self._urls.sources:
            with Pool(self._batch, os.cpu_count() or 1, self._started) as pool:
                yield from pool.decide(found)
            return
        tasks = [_Task(f, {"found": asdict(f)}) for f in found]
        for task, answer in self._results(tasks, ""):
            if isinstance(answer, _Lost):
                assert isinstance(task.about, Found)
                yield unseen(task.about, answer.cause, int(ExitCode.INTERNAL))
            else:
                yield item_from_json(dict(answer))

    def run(self, items: Iterable[Item]) -> Iterator[tuple[Item, Outcome]]:
        """Every item once, with its outcome, in the order in which they are done."""
        tasks = [_Task(item, {"item": _for_any_folder(item).to_json()}) for item in items]
        for task, answer in self._results(tasks, self._make_token() if tasks else ""):
            assert isinstance(task.about, Item)
            yield task.about, self._outcome(answer)

    def prove(self, done: Iterable[tuple[Item, Outcome]]) -> Iterator[tuple[Item, Outcome]]:
        """Have new files verified, with as many GPUs for each as were asked for."""
        self._remote = _remote(self._num_gpus)
        tasks = [
            _Task(item, {"item": _for_any_folder(item).to_json(), "outcome": outcome.to_json()})
            for item, outcome in done
        ]
        for task, answer in self._results(tasks, self._make_token() if tasks else ""):
            assert isinstance(task.about, Item)
            yield task.about, self._outcome(answer)

    def _results(
        self, tasks: Sequence[_Task], token: str
    ) -> Iterator[tuple[_Task, Mapping[str, Any] | _Lost]]:
        import ray

        batch, waiting = self._batch, deque(tasks)
        batch = replace(batch, sources=batch.sources.absolute(), results=batch.results.absolute())
        setup = ray.put(Setup(batch, self._urls, version(batch), token).to_json())
        while waiting or self._running:
            self._feed(waiting, setup)
            for task, answer in self._answers():
                if isinstance(answer, _Lost) and answer.again and task.attempt < _ATTEMPTS:
                    waiting.append(replace(task, attempt=task.attempt + 1))
                else:
                    yield task, answer

    def _feed(self, waiting: deque[_Task], setup: Any) -> None:
        places = set(range(self._room())) - {place for _, place in self._running.values()}
        for place in sorted(places)[: len(waiting)]:
            task = waiting.popleft()
            if isinstance(task.about, Item):
                self._started(task.about, place)
            self._running[self._remote.remote(setup, task.message)] = task, place

    def _room(self) -> int:
        import ray

        cpus = sum(node["Resources"].get("CPU", 0.0) for node in _alive(ray))
        return self._jobs or max(1, int(cpus))

    def _answers(self) -> Iterator[tuple[_Task, Mapping[str, Any] | _Lost]]:
        import ray

        done, _ = ray.wait(list(self._running), num_returns=1, timeout=_TICK)
        for reference in done:
            task, _ = self._running.pop(reference)
            yield task, _answer(reference)

    def _outcome(self, answer: Mapping[str, Any] | _Lost) -> Outcome:
        if isinstance(answer, _Lost):
            code = int(ExitCode.INTERNAL)
            return Outcome(Status.FAILED, answer.cause, exit_code=code)
        return self._as_seen_here(outcome_from_json(answer))

    def _as_seen_here(self, outcome: Outcome) -> Outcome:
        if outcome.written is None or self._urls.results:
            return outcome
        device = self._batch.results.stat().st_dev
        return replace(outcome, written=replace(outcome.written, device=device))

    def _make_token(self) -> str:
        """A new name, so that no machine remembers that there is none."""
        if self._urls.results:
            return ""
        self._token = self._batch.state.absolute() / f"seen-{os.urandom(8).hex()}"
        self._token.touch()
        return str(self._token)

    def _leave(self) -> None:
        import ray

        if self._ours:
            ray.shutdown()


def _remote(gpus: float) -> Any:
    import ray

    return ray.remote(perform).options(
        num_cpus=1, num_gpus=gpus, max_retries=0, name="mm-ckpt-migrate", scheduling_strategy="SPREAD"
    )


def _connect(address: str) -> bool:
    """Whether this, and not a caller, connected the process to the cluster."""
    try:
        import ray
    except ImportError as error:
        raise MissingSoftwareError(
            "Ray is not installed", hint="pip install 'mm-ckpt-migrate[ray]'"
        ) from error
    if ray.is_initialized():
        return False
    address = os.environ.get("RAY_ADDRESS", address) if address == "auto" else address
    try:
        _knock(address)
        with _own_end():
            ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except Exception as error:  # each part of Ray has errors of its own
        words = safe_text(f"{error}".strip().partition("\n")[0])
        raise MissingSoftwareError(
            f"no Ray cluster can be reached at {address}: {words}",
            hint="`ray start --head` starts one; --ray-address says where it is.",
        ) from error
    return True


@contextmanager
def _own_end() -> Iterator[None]:
    """Ray takes SIGTERM for itself; how this program ends is its own affair."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)


def _knock(address: str) -> None:
    """Ray itself waits for minutes where nobody answers; raises OSError."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if colon and port.isdecimal():
        with socket.create_connection((host, int(port)), timeout=_PATIENCE):
            pass


def _alive(ray: Any) -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]


def _answer(reference: Any) -> Mapping[str, Any] | _Lost:
    import ray

    try:
        answer: Mapping[str, Any] = ray.get(reference)
        return answer
    except ray.exceptions.RayTaskError as error:
        words = safe_text(f"{error.cause}".strip().partition("\n")[0])
        return _Lost(f"its task ended with {type(error.cause).__name__}: {words}", again=False)
    except ray.exceptions.RayError as error:
        words = type(error).__name__
        return _Lost(f"its task was lost {_ATTEMPTS} times, the last time by {words}", again=True)


def _for_any_folder(item: Item) -> Item:
    """A task has a working folder of its own."""
    if os.path.isfile(item.config):
        return replace(item, config=os.path.abspath(item.config))
    return item
