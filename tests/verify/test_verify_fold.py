"""`verify` of a folded file: exact in what is in it, up to rounding in what it computes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fold_case import BIAS, FOLD, POSITIONS, VIT
from golden_cases import run

from mm_ckpt_migrate.convert.checks.integrity import check_integrity
from mm_ckpt_migrate.convert.options import EMBEDDED, Options
from mm_ckpt_migrate.convert.write.folded import FoldError
from mm_ckpt_migrate.errors import ExitCode, MigrateError
from mm_ckpt_migrate.mapping.plan import make_plan, plan_from_json
from mm_ckpt_migrate.mapping.rules.library import load_rules
from mm_ckpt_migrate.verdicts import Status, Verdict
from mm_ckpt_migrate.verify.files import open_files

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.thorough, pytest.mark.mm]

Content = dict[str, Any]


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("folded") / "new.pth"
    run(VIT, path, cfg=EMBEDDED, **FOLD)
    return path


@pytest.fixture
def content(new: Path) -> Content:
    loaded: Content = torch.load(new)
    return loaded


def verify(file: Path) -> tuple[int, dict[str, Any]]:
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
            "--source",
            str(VIT.old),
            "--budget",
            "0",
            "--reference",
            str(VIT.folder / "reference.npz"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, found


def integrity_of(file: Path, old: Path = VIT.old) -> Verdict:
    with ExitStack() as stack:
        files = open_files(stack, file, old, load_rules())
        assert files.source is not None
        assert files.plan is not None
        return check_integrity(files.source, files.output, files.plan)


def saved(content: Content, folder: Path) -> Path:
    torch.save(content, folder / "broken.pth")
    return folder / "broken.pth"


def test_it_climbs_to_forward(new: Path) -> None:
    code, found = verify(new)
    assert code == ExitCode.OK
    verdicts = {verdict["rung"]: verdict for verdict in found["verdicts"]}
    assert [verdicts[rung]["status"] for rung in ("integrity", "keys", "forward")] == ["pass"] * 3
    assert f"{POSITIONS}, folded, equal to the last bit" in verdicts["integrity"]["summary"]
    assert "folded: equal up to rounding" in verdicts["forward"]["summary"]
    assert found["forward"]["control"] > 1e-3
    (difference,) = found["forward"]["differences"]
    assert 0 < difference["largest"] < 1e-5


def test_without_the_fold_forward_fails(content: Content, tmp_path: Path) -> None:
    content["state_dict"][POSITIONS] = torch.load(VIT.old, weights_only=False)["state_dict"][POSITIONS]
    code, found = verify(saved(content, tmp_path))
    assert code == ExitCode.INTEGRITY_FAILED
    verdicts = {verdict["rung"]: verdict for verdict in found["verdicts"]}
    assert verdicts["integrity"]["details"] == [f"changed: {POSITIONS}"]
    assert verdicts["forward"]["status"] == "fail"
    assert "folded: more than rounding" in verdicts["forward"]["summary"]


def one_bit(state: Content) -> None:
    state[POSITIONS].view(torch.int32)[0, -1, -1] ^= 1


def class_token_too(state: Content) -> None:
    old = torch.load(VIT.old, weights_only=False)["state_dict"]
    state[POSITIONS] = old[POSITIONS] + old[BIAS]


def another_tensor(state: Content) -> None:
    state["backbone.cls_token"].view(-1)[0] += 1e-7


def come_back(state: Content) -> None:
    state[BIAS] = torch.zeros(24)


def tied(state: Content) -> None:
    state["backbone.cls_token"] = state[POSITIONS][:, :1]


@pytest.mark.parametrize("fault", [one_bit, class_token_too, another_tensor, come_back, tied])
def test_a_broken_file_fails(fault: Callable[[Content], None], content: Content, tmp_path: Path) -> None:
    assert integrity_of(saved(content, tmp_path)).status is Status.PASS
    fault(content["state_dict"])
    assert integrity_of(saved(content, tmp_path)).status is Status.FAIL


def test_another_old_file_fails(new: Path, tmp_path: Path) -> None:
    old = torch.load(VIT.old, weights_only=False)
    old["state_dict"][BIAS][0] += 1e-3
    assert integrity_of(new, saved(old, tmp_path)).details == (f"changed: {POSITIONS}",)
    del old["state_dict"][BIAS]
    with pytest.raises(FoldError, match=f"it has no {BIAS}"):
        integrity_of(new, saved(old, tmp_path))


def test_a_plan_without_the_fold_does_not_fit(new: Path) -> None:
    with ExitStack() as stack:
        files = open_files(stack, new, VIT.old, load_rules())
        assert files.source is not None
        verdict = check_integrity(files.source, files.output, make_plan(files.source.schema, files.rules))
    assert verdict.details == (f"lost: {BIAS}", f"changed: {POSITIONS}")


@pytest.mark.parametrize("change", [("add_to_tokens", "eval"), (POSITIONS, "backbone.cls_token")])
def test_a_stamp_that_was_tampered_with(change: tuple[str, str], content: Content, tmp_path: Path) -> None:
    stamp = content["meta"]["mm_ckpt_migrate"]
    stamp["plan"] = stamp["plan"].replace(*change)
    with pytest.raises(MigrateError):
        integrity_of(saved(content, tmp_path))


def test_a_forged_fold_is_no_crash(content: Content, tmp_path: Path) -> None:
    """With the digest forged, too: what it names does not fit."""
    stamp = content["meta"]["mm_ckpt_migrate"]
    data = json.loads(stamp["plan"])
    data["fold"]["into"] = "backbone.layers.0.ln1.weight"
    stamp["plan"] = json.dumps(data)
    stamp["plan_sha256"] = plan_from_json(data).digest
    with pytest.raises(FoldError, match="does not fit"):
        integrity_of(saved(content, tmp_path))


@pytest.mark.parametrize("raw", [True, False])
def test_of_two_sets_of_weights(raw: bool, tmp_path: Path) -> None:
    from mm_ckpt_migrate.convert.api import convert

    old = torch.load(VIT.old, weights_only=False)
    averaged = {f"module.{name}": tensor + 1 for name, tensor in old["state_dict"].items()}
    old["ema_state_dict"] = {"steps": torch.tensor(3), **averaged}
    source, made = saved(old, tmp_path), tmp_path / "new.pth"
    convert("auto", "-", source, made, Options(build=False, raw_weights=raw, **FOLD))
    assert integrity_of(made, source).status is Status.PASS
