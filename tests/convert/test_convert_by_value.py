"""The proof by value: the current release loads the new file strictly and computes the same."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from golden_cases import CASES, Case, load, run, same_bytes, sha256, statuses

from mm_ckpt_migrate.errors import ExitCode, FamilyError, PlanError
from mm_ckpt_migrate.files.archive.format import Format
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.mapping.plan import make_plan
from mm_ckpt_migrate.mapping.rules.library import family_named, load_rules
from mm_ckpt_migrate.verdicts import ConvertReport

pytestmark = [pytest.mark.mm, pytest.mark.filterwarnings("ignore")]

Convert = Callable[..., tuple[ConvertReport, Path]]
TOLERANCE = 1e-5
WRONG = 1e-2
WITH_ROLES = [n for n in CASES if "operation_order" in Path(CASES[n].old_config).read_text()]


@functools.cache
def new_model(config: str) -> Any:
    import record_outputs

    return record_outputs.build_model(Path(config))


def differences(case: Case, state_dict: Any) -> dict[str, float]:
    """Load by torch's own strict rules, and compare the raw outputs with the recorded ones.

    A difference is relative to the largest value of its output, if above 1: other processors
    than that of the record round otherwise (yolact's `segments`, up to 14, by 1.3e-5).
    """
    import record_outputs
    import torch

    torch.set_num_threads(1)
    assert hasattr(state_dict, "_metadata") == hasattr(load(case.old)["state_dict"], "_metadata")
    model = new_model(case.new_config)
    result = torch.nn.Module.load_state_dict(model, state_dict, strict=True)
    assert (result.missing_keys, result.unexpected_keys) == ([], [])
    reference = record_outputs.read_arrays(case.folder / "reference.npz")
    outputs = record_outputs.raw_outputs(model, torch.from_numpy(reference["image"]))
    found = record_outputs.max_abs_diff(outputs, reference)
    return {name: value / max(1.0, float(abs(reference[name]).max())) for name, value in found.items()}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_converts_with_the_model_built(case: Case, converted: Convert) -> None:
    report, path = converted(case)
    assert report.exit_code == ExitCode.OK
    assert statuses(report) == {
        "integrity": "pass",
        "keys": "pass",
        "roles": "pass" if case.name in WITH_ROLES else "skipped",
        "forward": "skipped",
        "resume": "skipped",
        "metric": "skipped",
    }
    assert (report.family, report.destination) == (case.family, str(path))
    assert (report.moved > 0) == (case.family != "vit")
    assert report.dropped == 0
    assert sha256(case.old) == case.sha256 == report.source_digest


def test_without_the_cache_torch_itself_loads_the_file(converted: Convert, tmp_path: Path) -> None:
    """With a cached schema the layouts are compared; that makes no difference to the file."""
    case = CASES["maskformer_swin"]
    first = converted(case)[0].verdicts[1].summary
    assert "torch 2" in first
    assert "loads it strictly" in first or "cached from" in first
    first, second = (
        run(case, tmp_path / f"{cache}", cache=cache, format=Format.SAFETENSORS).verdicts[1].summary
        for cache in (False, True)
    )
    assert "loads it strictly" in first
    assert "cached from" in second
    assert sha256(tmp_path / "True") == sha256(tmp_path / "False")


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_raw_outputs_are_those_of_the_old_release(
    case: Case, converted: Convert, record_property: Callable[[str, object], None]
) -> None:
    found = differences(case, load(converted(case)[1])["state_dict"])
    record_property("max_abs_diff", max(found.values()))
    assert all(value <= TOLERANCE for value in found.values()), found


def content(tensor: Any) -> tuple[Any, ...]:
    return str(tensor.dtype), tuple(tensor.shape), tensor.numpy().tobytes()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_weight_is_the_old_ones_to_the_last_bit(case: Case, converted: Convert) -> None:
    old, new = load(case.old)["state_dict"], load(converted(case)[1])["state_dict"]
    assert Counter(map(content, old.values())) == Counter(map(content, new.values()))
    kept = [name for name in old if name in new]
    assert len(kept) > len(old) / 2
    assert all(same_bytes(old[name], new[name]) for name in kept)


# --- the deliberate mistake ---------------------------------------------------------------------


def test_the_wrong_family_is_refused(case: Case, tmp_path: Path) -> None:
    with pytest.raises(FamilyError, match=f"this is a {case.family} checkpoint"):
        run(case, tmp_path / "new.pth", case.other_family)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["maskformer_r18_encoder", "mask2former_r18", "mask2former_swin"])
def test_the_wrong_family_by_force_loads_strictly_and_computes_garbage(
    name: str, converted: Convert, record_property: Callable[[str, object], None]
) -> None:
    case = CASES[name]
    report, path = converted(case, case.other_family, force_family=True)
    assert report.exit_code == ExitCode.ROLES_FAILED
    assert statuses(report)["keys"] == "pass"
    assert statuses(report)["roles"] == "fail"
    assert any("UNPROVEN" in notice for notice in report.notices)
    found = differences(case, load(path)["state_dict"])
    record_property("max_abs_diff", max(found.values()))
    assert all(value > WRONG for value in found.values()), found


@pytest.mark.parametrize("name", ["maskformer_r18", "maskformer_swin"])
def test_without_an_encoder_not_even_force_helps(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    with pytest.raises(PlanError, match="fits no key of this checkpoint"):
        run(case, tmp_path / "new.pth", "mask2former", force_family=True)
    assert list(tmp_path.iterdir()) == []


def test_the_control_loads_strictly_and_computes_garbage(
    case: Case, record_property: Callable[[str, object], None]
) -> None:
    """Without this the comparison of outputs would prove nothing."""
    rules = family_named(load_rules().families, case.family).with_control()
    with Source(case.old) as source:
        targets = make_plan(open_checkpoint(source).schema, rules).targets
    old = load(case.old)["state_dict"]
    wrong = type(old)((targets[name], value) for name, value in old.items())
    if hasattr(old, "_metadata"):
        wrong._metadata = old._metadata
    found = differences(case, wrong)
    record_property("max_abs_diff", max(found.values()))
    assert max(found.values()) > WRONG, found
