"""The measuring process: it ends with us, keeps to its limits, and harms nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from golden_cases import CASES, run
from support.releases import old_python

from mm_ckpt_migrate.configs.read.config import read_config
from mm_ckpt_migrate.errors import ConfigError, ExitCode, MissingSoftwareError
from mm_ckpt_migrate.releases.process import ReleaseProcess
from mm_ckpt_migrate.verify.raw_outputs import Side, model_request

PACKAGE = Path(__file__).parents[3] / "mm_ckpt_migrate"
PROBE = PACKAGE / "releases" / "probe"
# What a Python of the old release may be asked to import: beside these, only the stack.
SHARED = {
    *("allowed.classes", "allowed.permitted"),
    "current.child.build",
    *("wall", "wall.calls", "wall.landlock", "wall.program", "wall.seccomp"),
}
# Packages whose own `__init__` says what is in them, and imports nothing.
OUTSIDE = {
    "mm_ckpt_migrate",
    "mm_ckpt_migrate.releases",
    "mm_ckpt_migrate.releases.allowed",
    "mm_ckpt_migrate.releases.current",
    "mm_ckpt_migrate.releases.current.child",
    "mm_ckpt_migrate.releases.probe",
}
OLDEST = (3, 8)


def needed() -> dict[str, Path]:
    """Our files that the child imports, by module name, found by following the imports."""
    todo, files = ["mm_ckpt_migrate.releases.probe.main"], {}
    while todo:
        name = todo.pop()
        place = PACKAGE.parent.joinpath(*name.split("."))
        path = next(filter(Path.exists, (place.with_suffix(".py"), place / "__init__.py")), place)
        if name in files or not path.exists() or name in OUTSIDE:
            continue
        files[name] = path
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                todo += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Import):
                todo += [alias.name for alias in node.names]
    return {name: path for name, path in files.items() if name.startswith("mm_ckpt_migrate")}


def test_the_child_imports_what_an_old_python_can() -> None:
    names = needed()
    shared = {name for name in names if not name.startswith("mm_ckpt_migrate.releases.probe.")}
    assert shared == {f"mm_ckpt_migrate.releases.{name}" for name in SHARED}
    for path in names.values():
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text, feature_version=OLDEST)
        assert "from __future__ import annotations" in text
        for node in ast.walk(tree):
            assert not isinstance(node, ast.Call) or not {"slots", "strict"} & {
                keyword.arg for keyword in node.keywords if not isinstance(node.func, ast.Attribute)
            }, path
            if isinstance(node, ast.Attribute):
                assert node.attr not in ("removeprefix", "removesuffix"), path


def test_it_dies_with_its_parent() -> None:
    code = (
        "import time; from mm_ckpt_migrate.releases.process import ReleaseProcess; "
        "p = ReleaseProcess(); print(p.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as ours:
        assert ours.stdout is not None
        pid = int(ours.stdout.readline())
        time.sleep(0.3)  # until it has asked for it
        ours.kill()
        ours.wait()
    for _ in range(100):
        if not _runs(pid):
            return
        time.sleep(0.05)
    pytest.fail("it outlived us")


def _runs(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def test_leaving_it_kills_it_and_removes_its_files() -> None:
    with ReleaseProcess() as process:
        folder, pid = process.folder, process.pid
        assert folder.is_dir()
    assert not folder.exists()
    assert not _runs(pid)
    process.close()  # harmless when repeated


@pytest.mark.mm
def test_too_little_time_and_too_little_memory() -> None:
    with (
        ReleaseProcess(seconds=0.2) as slow,
        pytest.raises(MissingSoftwareError, match=r"gave no answer: no answer within 0\.2 s"),
    ):
        slow.versions()
    with ReleaseProcess(memory=200 << 20) as small, pytest.raises(MissingSoftwareError):
        small.versions()


def test_an_evaluation_gets_a_child_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it has to import first would lie behind the wall of one that ran a model."""
    events: list[str] = []

    class Silent:
        def __init__(self, *_arguments: object, **_options: object) -> None:
            events.append("start")

        def send(self, request: dict[str, str]) -> None:
            events.append(request["do"])

        def close(self) -> None:
            events.append("close")

    monkeypatch.setattr("mm_ckpt_migrate.releases.process.Child", Silent)
    with ReleaseProcess() as process:
        for what in ("versions", "forward", "compare", "unseen", "evaluate", "evaluate", "forward"):
            process.send({"do": what})
    assert " ".join(events) == (
        "start versions forward compare unseen close start evaluate evaluate close start forward close"
    )


@pytest.fixture(scope="module")
def process() -> Iterator[ReleaseProcess]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUDA_VISIBLE_DEVICES", "0")
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        with ReleaseProcess() as process:
            yield process


@pytest.fixture(scope="module")
def side(process: ReleaseProcess, tmp_path_factory: pytest.TempPathFactory) -> Side:
    case = CASES["maskformer_swin"]
    new = tmp_path_factory.mktemp("process") / "new.pth"
    run(case, new, build=False)
    return Side(process, model_request(read_config(Path(case.new_config)), case.new_config), new)


@pytest.mark.mm
def test_versions(process: ReleaseProcess) -> None:
    versions = process.versions()
    assert set(versions) == {"python", "torch", "numpy", "mmengine", "mmcv", "mmdet", "mmseg", "mmcv._ext"}
    assert versions["mmcv._ext"] in ("stub", "compiled")


@pytest.mark.mm
def test_answers_come_in_order_and_to_any_dtype(side: Side) -> None:
    image = {"seed": 3, "size": [64, 64]}
    for dtype in ("float32", "float64", "float32"):
        side.process.send(side.request("forward", dtype=dtype, repeat=True, **image))
    first, second, third = side.receive(3)
    assert first["shapes"] == second["shapes"] == third["shapes"]
    # Back from float64 every weight is what it was.
    assert first["spread"] == third["spread"] != second["spread"]
    assert all(answer["repeats"] for answer in (first, second, third))


@pytest.mark.mm
@pytest.mark.parametrize(
    ("line", "refused"),
    [
        ("import socket; socket.create_connection(('127.0.0.1', 9))", "no network"),
        ("import os; os.system('true')", "os.system"),
        ("import subprocess; subprocess.run(['true'])", "subprocess.Popen"),
        ("open('/tmp/mm-ckpt-migrate-written', 'w')", "open"),
        ("import os; os.remove('/tmp/mm-ckpt-migrate-none')", "os.remove"),
        ("import pickle, io; pickle.loads(pickle.dumps(OSError))", "pickle.find_class"),
    ],
)
def test_what_a_model_may_not_do(line: str, refused: str, side: Side) -> None:
    """Code that a config's own package brings, once the user has allowed it, is still confined."""
    side.demand("forward", seed=0, size=[64, 64])  # which seals the child
    model = side.model.model.replace("'EncoderDecoder'", f"'Confined', 'line': {line!r}")
    assert "'Confined'" in model
    side.process.send(
        {
            **side.request("forward", seed=0, size=[64, 64]),
            "model": model,
            "imports": ["confined"],
            "packages": [*side.model.packages, "confined"],
        }
    )
    answer = side.process.receive()
    assert not answer["ok"]
    assert refused in answer["reason"]


ENDS = "__import__('ctypes').CDLL(None).fork()"


@pytest.mark.mm
@pytest.mark.parametrize("what", ["forward", "unseen", "resume"])
def test_the_kernel_ends_what_python_does_not_see(what: str, side: Side, tmp_path: Path) -> None:
    """Whatever is done with a model; the next request finds a child of its own."""
    import torch

    training = tmp_path / "training.pth"
    torch.save({"state_dict": {}, "optimizer": {"param_groups": []}}, training)
    request = {
        **side.request(what, seed=0, size=[64, 64], budget=1.0, training="{}", steps=1),
        "checkpoint": str(training),
        "model": side.model.model.replace("'EncoderDecoder'", f"'Confined', 'line': {ENDS!r}"),
        "imports": ["confined"],
        "packages": [*side.model.packages, "confined"],
    }
    with walled() as process, pytest.raises(ConfigError, match="the kernel ended that") as caught:
        process.ask(request)
    assert caught.value.exit_code is ExitCode.BAD_TARGET
    assert str(side.model.source) in caught.value.message


@pytest.mark.mm
def test_the_kernel_ends_it_while_a_config_is_evaluated() -> None:
    request = evaluation("ends")
    with walled() as process, pytest.raises(ConfigError, match=r"mine\.py: .*the kernel ended"):
        process.ask(request)


@pytest.mark.mm
def test_what_is_on_no_list_is_not_handed_out_while_a_config_is_evaluated() -> None:
    with walled() as process:
        answer = process.ask(evaluation("asks"))
    assert "'VPD' is not on the list" in answer["reason"]


def evaluation(imported: str) -> dict[str, Any]:
    config = {"custom_imports": {"imports": [imported]}}
    return {"do": "evaluate", "config": repr(config), "launcher": "none", "source": "mine.py", "packages": []}


@pytest.mark.mm
def test_outputs_are_compared_within_the_wall_of_either_release(tmp_path: Path) -> None:
    import numpy as np

    np.savez(tmp_path / "a.npz", x=np.ones(3))
    asked = {"do": "compare", "first": str(tmp_path / "a.npz"), "second": str(tmp_path / "a.npz")}
    for python in filter(None, (Path(sys.executable), old_python())):
        with ReleaseProcess(python) as process:
            assert process.ask(asked)["wall"]["kind"].startswith("seccomp")


@contextmanager
def walled() -> Iterator[ReleaseProcess]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        with ReleaseProcess() as process:
            yield process


@pytest.mark.mm
def test_gpus_are_hidden_unless_asked_for(process: ReleaseProcess) -> None:
    environment = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
    assert b"CUDA_VISIBLE_DEVICES=" in environment
