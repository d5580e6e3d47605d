"""Forward: recorded outputs, written and compared with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from forward_sides import CASE, planned, side
from golden_cases import CASES, load, run

from mm_ckpt_migrate.errors import CheckpointError, DestinationError
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet
from mm_ckpt_migrate.releases.process import ReleaseProcess
from mm_ckpt_migrate.verdicts import Status
from mm_ckpt_migrate.verify.raw_outputs import record_outputs
from mm_ckpt_migrate.verify.rungs.forward import Image, Recorded, check_forward

pytestmark = pytest.mark.mm
RECORD = CASE.folder / "reference.npz"


@pytest.fixture(scope="module")
def process() -> Iterator[ReleaseProcess]:
    with ReleaseProcess() as process:
        yield process


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("records") / "new.pth"
    run(CASE, path, build=False)
    return path


@pytest.fixture(scope="module")
def control(families: dict[str, RuleSet]) -> dict[str, str]:
    return planned(CASE, families)[1]


@pytest.mark.parametrize("name", list(CASES))
def test_the_golden_records(
    name: str, families: dict[str, RuleSet], tmp_path: Path, process: ReleaseProcess
) -> None:
    case = CASES[name]
    run(case, tmp_path / "new.pth", build=False)
    right = side(process, tmp_path / "new.pth", case.new_config)
    _, control = planned(case, families)
    record = Recorded(case.folder / "reference.npz")
    verdict, result = check_forward(record, right, control, budget=0)
    assert verdict.status is Status.PASS, verdict
    assert result.control > 0.1
    wrong, _ = check_forward(record, right, {}, budget=0)
    assert wrong.status is Status.SKIPPED


def test_a_wrong_file_fails(process: ReleaseProcess, control: dict[str, str], tmp_path: Path) -> None:
    run(CASE, tmp_path / "wrong.pth", CASE.other_family, build=False, force_family=True)
    verdict, _ = check_forward(Recorded(RECORD), side(process, tmp_path / "wrong.pth"), control, budget=0)
    assert verdict.status is Status.FAIL
    assert "outputs differ by" in verdict.summary
    assert any(line.startswith("mask_logits: ") for line in verdict.details)


def test_not_a_number_fails(
    process: ReleaseProcess, new: Path, control: dict[str, str], tmp_path: Path
) -> None:
    import torch

    content, path = load(new), tmp_path / "nan.pth"
    content["state_dict"]["decode_head.query_feat.weight"][0, 0] = float("nan")
    torch.save(content, path)
    verdict, _ = check_forward(Recorded(RECORD), side(process, path), control, budget=0)
    assert verdict.status is Status.FAIL


def test_a_record_of_ones_own(
    process: ReleaseProcess, new: Path, control: dict[str, str], tmp_path: Path
) -> None:
    right, record = side(process, new), tmp_path / "record.npz"
    record_outputs(right, Image(size=(64, 96)), record, {"mmseg": "1.0.0rc4"}, force=False)
    verdict, result = check_forward(Recorded(record), right, control, budget=0)
    assert verdict.status is Status.PASS, verdict
    assert result.recorded == {"format": 1, "versions": {"mmseg": "1.0.0rc4"}, "file": "new.pth"}
    with pytest.raises(DestinationError):
        record_outputs(right, Image(size=(64, 96)), record, {}, force=False)


@pytest.mark.parametrize("what", ["text", "no image", "pickled", "other shapes", "no outputs"])
def test_records_that_are_none(
    what: str, process: ReleaseProcess, new: Path, control: dict[str, str], tmp_path: Path
) -> None:
    import numpy as np

    path = tmp_path / "record.npz"
    arrays: dict[str, Any] = dict(np.load(CASE.folder / "reference.npz"))
    if what == "text":
        path.write_text("no arrays")
    elif what == "no image":
        np.savez(path, cls_logits=arrays["cls_logits"])
    elif what == "pickled":
        np.savez(path, **{**arrays, "image": np.array([print], dtype=object)})
    elif what == "other shapes":
        np.savez(path, **{**arrays, "cls_logits": arrays["cls_logits"][:2]})
    else:
        np.savez(path, image=arrays["image"])
    right = side(process, new)
    if what in ("text", "no image", "pickled"):
        with pytest.raises(CheckpointError, match=r"record\.npz: it"):
            check_forward(Recorded(path), right, control, budget=0)
    else:
        verdict, _ = check_forward(Recorded(path), right, control, budget=0)
        assert verdict.status is Status.FAIL
        assert "differ by inf" in verdict.summary


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: None])
def test_a_record_that_is_no_file(
    make: Callable[[Path], None], process: ReleaseProcess, new: Path, tmp_path: Path
) -> None:
    make(tmp_path / "record.npz")
    with pytest.raises(CheckpointError, match=r"record\.npz: it is no file"):
        check_forward(Recorded(tmp_path / "record.npz"), side(process, new), {}, budget=0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("record", "no JSON"),
        ("record", "[1]"),
        ("image", [[[[0.5]]]]),
        ("image", [[[[]], [[]], [[]]]]),
        ("cls_logits", "no number"),
        ("another", []),
    ],
)
def test_a_record_of_which_a_part_is_none(
    name: str, value: Any, process: ReleaseProcess, new: Path, tmp_path: Path
) -> None:
    """It says nothing of the file."""
    import numpy as np

    path = tmp_path / "record.npz"
    arrays: dict[str, Any] = dict(np.load(RECORD))
    kind = np.float32 if isinstance(value, list) else None
    np.savez(path, **{**arrays, name: np.array(value, kind)})
    with pytest.raises(CheckpointError, match=r"record\.npz: it"):
        check_forward(Recorded(path), side(process, new), {}, budget=0)
