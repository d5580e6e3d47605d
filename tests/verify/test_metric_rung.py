"""`verify --eval` as its user runs it: a metric that could not have been wrong proves nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.options import EMBEDDED, Options
from mm_ckpt_migrate.errors import ExitCode

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.mm, pytest.mark.thorough]

ROOM = Path(__file__).parents[1] / "evaluate"
RESULT: dict[str, Any] = json.loads((ROOM / "maskformer_scenes.json").read_text(encoding="utf-8"))
SCORE = RESULT["result"]["metrics"]["mIoU"]
DECODER = "decode_head.transformer_decoder.layers"
Content = dict[str, Any]


@pytest.fixture(scope="module")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sys.path.append(str(ROOM))
    import scenes

    root = tmp_path_factory.mktemp("scenes")
    scenes.write(root, {"validation": scenes.SPLITS["validation"]})
    return root


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("metric") / "new.pth"
    convert("auto", EMBEDDED, ROOM / "maskformer_scenes.pth", path, Options())
    return path


def verify(file: Path, *options: object) -> tuple[int, dict[str, Any]]:
    """The exit status, and the verdict of each rung; the whole answer as `all`."""
    workers = ("--workers", "0") if "--eval" in options else ()
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mm_ckpt_migrate",
            "verify",
            str(file),
            "--json",
            "--legacy",
            "none",
            "--budget",
            "0",
            *workers,
            *map(str, options),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    return done.returncode, {"all": found, **{v["rung"]: v for v in found["verdicts"]}}


def test_a_genuine_metric_is_held_against_the_wrong_mapping(new: Path, data_root: Path) -> None:
    code, found = verify(new, "--eval", "--data-root", data_root, "--expect", SCORE)
    assert found["metric"]["status"] == "pass", found["metric"]
    assert code == ExitCode.OK
    control = RESULT["control_metrics"]["mIoU"]
    said = f"mIoU is {control:.2f} and not {SCORE:.2f}"
    assert said in " ".join(found["metric"]["details"])


def one_class(state: Content) -> None:
    """Every query sees the sky, wherever it looks."""
    state["decode_head.cls_embed.weight"].zero_()
    state["decode_head.cls_embed.bias"].fill_(-20.0)[2] = 20.0


def one_class_of_each_image(state: Content) -> None:
    """Whatever the image shows, all its pixels get the same class."""
    state["decode_head.mask_embed.4.weight"].zero_()
    state["decode_head.mask_embed.4.bias"].zero_()


def blind_decoder(state: Content) -> None:
    """With equal weights in both attentions it makes no difference which is which."""
    for name in [name for name in state if f"{DECODER}." in name and ".self_attn." in name]:
        state[name.replace(".self_attn.", ".cross_attn.")].copy_(state[name])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (one_class, "each image is predicted as one class"),
        (one_class_of_each_image, "each image is predicted as one class"),
        (blind_decoder, "exchanged, the metric is the same"),
    ],
)
def test_a_metric_that_proves_nothing(
    change: Callable[[Content], None], said: str, new: Path, data_root: Path, tmp_path: Path
) -> None:
    content = torch.load(new)
    change(content["state_dict"])
    torch.save(content, tmp_path / "changed.pth")
    options = ("--eval", "--data-root", data_root, "--limit", "3")
    _, found = verify(tmp_path / "changed.pth", *options)
    score = found["all"]["metric"]["new"]["mIoU"]
    code, found = verify(tmp_path / "changed.pth", *options, "--expect", score)
    assert found["metric"]["status"] == "skipped", found["metric"]
    assert said in found["metric"]["summary"]
    assert code == ExitCode.OK
    code, found = verify(tmp_path / "changed.pth", *options, "--expect", score + 1)
    assert found["metric"]["status"] == "fail"
    assert code == ExitCode.METRIC_FAILED


@pytest.mark.parametrize(
    ("options", "said", "expected"),
    [
        (("--data-root", "/nowhere"), "the data set is not there", ExitCode.USAGE),
        (("--against", "/nowhere.json"), "cannot be read as a recorded", ExitCode.USAGE),
        (("--against", "legacy"), "needs the old release", ExitCode.MISSING_SOFTWARE),
    ],
)
def test_what_stops_the_metric_hides_no_other_rung(
    options: tuple[str, ...], said: str, expected: ExitCode, new: Path, data_root: Path
) -> None:
    given = ("--data-root", data_root) if "--data-root" not in options else ()
    code, found = verify(
        new, "--eval", "--source", ROOM / "maskformer_scenes.pth", "--limit", "2", *options, *given
    )
    assert found["metric"]["status"] == "skipped"
    assert said in found["metric"]["summary"]
    assert said in found["all"]["error"]
    assert {found[rung]["status"] for rung in ("integrity", "keys", "roles")} == {"pass"}
    assert code == expected


def test_a_file_without_a_config_has_the_rungs_that_need_none(new: Path, tmp_path: Path) -> None:
    content = torch.load(new)
    del content["meta"]["cfg"]
    content.pop("message_hub", None)
    bare = tmp_path / "bare.pth"
    torch.save(content, bare)
    code, found = verify(bare, "--source", ROOM / "maskformer_scenes.pth")
    assert "there is none" in found["keys"]["summary"]
    assert {found[rung]["status"] for rung in ("keys", "forward", "resume", "metric")} == {"skipped"}
    assert found["roles"]["status"] == "pass"
    assert found["integrity"]["status"] != "skipped" or found["integrity"]["details"]
    assert code in (ExitCode.OK, ExitCode.INTEGRITY_FAILED)  # the config is one of its entries
    code, found = verify(bare, "--eval")
    assert "there is none" in found["metric"]["summary"]
    assert code == ExitCode.BAD_TARGET  # for the metric was asked for


def test_a_config_that_cannot_be_built_is_a_fault(new: Path, tmp_path: Path) -> None:
    content = torch.load(new)
    text = content["meta"]["cfg"]
    content["meta"]["cfg"] = text.replace("'MaskFormerHead'", "'NoSuchHead'")
    assert content["meta"]["cfg"] != text
    torch.save(content, tmp_path / "broken.pth")
    code, found = verify(tmp_path / "broken.pth")
    assert found["keys"]["status"] == "skipped"
    assert "NoSuchHead" in found["keys"]["summary"]
    assert found["roles"]["status"] == "pass"
    assert code == ExitCode.BAD_TARGET
