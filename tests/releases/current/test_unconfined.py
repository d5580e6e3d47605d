"""A system without seccomp: nothing that nobody named is built there without a yes, and it is said.

And what a user is told where the kernel ended a child: one sentence, and the exit code of a config.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from golden_cases import CASES
from typer.testing import CliRunner

from mm_ckpt_migrate.cli.main import app
from mm_ckpt_migrate.configs.read.config import read_config
from mm_ckpt_migrate.errors import ConfigError, ExitCode
from mm_ckpt_migrate.releases.allowed.literal import literal
from mm_ckpt_migrate.releases.allowed.request import make_request
from mm_ckpt_migrate.releases.current.process import TargetProcess
from mm_ckpt_migrate.releases.process import ReleaseProcess

pytestmark = pytest.mark.mm

HERE = Path(__file__).parent
OLD = CASES["maskformer_swin"].old
NAMED = CASES["maskformer_swin"].new_config
# Python's own means see none of these.
ATTACKS = {
    "ctypes": "import ctypes; ctypes.CDLL(None).system(b'touch {harm}')",
    "fork": "import ctypes; ctypes.CDLL(None).fork()",
    "socket": "import ctypes; ctypes.CDLL(None).socket(2, 1, 0)",
}


@pytest.fixture
def no_seccomp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(HERE / "no_seccomp"))


def command(*arguments: object) -> tuple[int, dict[str, Any]]:
    done = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    return done.exit_code, json.loads(done.stdout)


def test_a_config_that_nobody_named_is_not_built(no_seccomp: None, tmp_path: Path) -> None:
    new = tmp_path / "new.pth"
    code, answer = command("convert", "auto", "embedded", OLD, new)
    assert code == ExitCode.BAD_TARGET
    assert "is not confined here: seccomp answers: Function not implemented" in answer["error"]
    assert "--allow-unconfined" in answer["hint"]
    assert not new.exists()


@pytest.mark.parametrize("how", [("embedded", "--allow-unconfined"), (NAMED,)])
def test_with_a_yes_or_a_name_it_is_and_the_report_says_so(
    how: tuple[object, ...], no_seccomp: None, tmp_path: Path
) -> None:
    cfg, *options = how
    code, answer = command("convert", "auto", cfg, OLD, tmp_path / "new.pth", *options)
    assert code == ExitCode.OK
    assert [n for n in answer["notices"] if n.startswith("not confined: ")]


def test_where_there_is_a_wall_nothing_is_said_of_it(tmp_path: Path) -> None:
    code, answer = command("convert", "auto", "embedded", OLD, tmp_path / "new.pth")
    assert code == ExitCode.OK
    assert not [n for n in answer["notices"] if "confined" in n]


def test_a_batch_refuses_it(no_seccomp: None, tmp_path: Path) -> None:
    (tmp_path / "zoo").mkdir()
    shutil.copy(OLD, tmp_path / "zoo" / "old.pth")
    folders = tmp_path / "zoo", tmp_path / "new"
    code, answer = command("batch", *folders, "--jobs", 1)
    assert code == ExitCode.INCOMPLETE
    assert "not confined here" in json.dumps(answer)
    code, answer = command("batch", *folders, "--jobs", 1, "--allow-unconfined")
    assert code == ExitCode.OK
    assert "not confined: " in json.dumps(answer)


def test_a_verification_refuses_it_and_shows_what_it_can(no_seccomp: None, tmp_path: Path) -> None:
    """No fault of the file; and of code that did not run it is not said that it ran."""
    new, reference = tmp_path / "new.pth", OLD.with_name("reference.npz")
    command("convert", "auto", "embedded", OLD, new, "--allow-unconfined")
    code, answer = command("verify", new, "--reference", reference, "--legacy", "none")
    assert code == ExitCode.BAD_TARGET
    found = {verdict["rung"]: verdict for verdict in answer["verdicts"]}
    assert [found[rung]["status"] for rung in ("keys", "forward")] == ["skipped", "skipped"]
    assert "not confined here" in found["forward"]["summary"]
    assert "mmseg" in answer["versions"]
    assert not [n for n in answer["notices"] if "confined" in n]


def test_a_measuring_child_refuses_it(no_seccomp: None, small_model: dict[str, Any]) -> None:
    request = make_request(small_model, "mmseg", source="the config inside old.pth")
    asked = {
        "do": "forward",
        "model": request.model,
        "scope": "mmseg",
        "imports": (),
        "needs": (),
        "packages": request.packages,
        "checkpoint": "/none",
        "confined": request.confined,
        "source": request.source,
    }
    with ReleaseProcess() as process:
        with pytest.raises(ConfigError, match=r"inside old\.pth: nobody named it"):
            process.ask(asked)
        assert process.unconfined == ""
        named = process.ask({**asked, "confined": False})
        assert named["kind"] == "checkpoint"  # it was built, and asked for its weights
        assert process.unconfined.startswith("seccomp answers")


@pytest.mark.parametrize("name", ATTACKS)
def test_the_end_at_the_wall_is_told_in_one_sentence(
    name: str, small_model: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hostile.py").write_text(
        "from mmseg.models import ResNetV1c\nfrom mmseg.registry import MODELS\n"
        "@MODELS.register_module()\nclass Hostile(ResNetV1c):\n"
        "    def __init__(self, line, **more):\n"
        "        exec(line)\n"
        "        super().__init__(**more)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    line = ATTACKS[name].format(harm=tmp_path / "harm")
    small_model["backbone"].update(type="Hostile", line=line)
    request = make_request(
        small_model, "mmseg", imports=["hostile"], allow_imports=["hostile"], source="mine.py"
    )
    with (
        pytest.raises(ConfigError, match="the kernel ended that before it happened") as caught,
        TargetProcess(request) as process,
    ):
        process.schema()
    assert caught.value.exit_code is ExitCode.BAD_TARGET
    assert caught.value.message.startswith("mine.py: ")
    assert "\n" not in caught.value.message
    assert "SIGSYS" not in caught.value.message
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("name", ["ctypes", "fork_exec"])
def test_what_mmdet_evaluates_is_ended_even_were_it_built(name: str, tmp_path: Path) -> None:
    """`CameraMotionCompensation` gives `warp_mode` to `eval`; the list of classes, which refuses
    it before any child starts, is passed by here."""
    harm = tmp_path / "harm"
    payload = {
        "ctypes": f"__import__('ctypes').CDLL(None).system(b'touch {harm}')",
        "fork_exec": f"__import__('_posixsubprocess').fork_exec([b'/usr/bin/touch', b'{harm}'], "
        "(b'/usr/bin/touch',), True, (), None, None, -1, -1, -1, -1, -1, -1, "
        "*__import__('os').pipe(), False, False, -1, None, None, None, -1, None, False)",
    }[name]
    config = Path(CASES["mask2former_r18"].new_config)
    model: Any = read_config(config)["model"]
    request = make_request(model, "mmseg", source=config)
    model["decode_head"]["train_cfg"]["assigner"] = {
        "type": "mmdet.CameraMotionCompensation",
        "warp_mode": payload,
    }
    with pytest.raises(ConfigError, match=r"warp_mode|CameraMotionCompensation"):
        make_request(model, "mmseg", source=config)
    hostile = replace(request, model=literal(model, config), packages=("mmdet", "mmseg"))
    with (
        pytest.raises(ConfigError, match="the kernel ended that before it happened"),
        TargetProcess(hostile) as process,
    ):
        process.schema()
    assert not harm.exists()


def test_several_processes_evaluate_no_config_that_nobody_named(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["verify", str(OLD), "--eval", "--launcher", "pytorch"])
    assert done.exit_code == ExitCode.USAGE
    assert "--cfg FILE" in " ".join(done.output.replace("│", " ").split())


def test_processes_that_load_are_for_a_launcher() -> None:
    done = CliRunner().invoke(app, ["verify", str(OLD), "--eval", "--workers", "2"])
    assert done.exit_code == ExitCode.USAGE
