"""Integrity: any byte, name or sharing that is not the source's is found, in whichever file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from struct import pack

import pytest
from golden_cases import CASES, run
from support.streams import Storage, mapping, stream, tensor
from support.zips import torch_zip

from mm_ckpt_migrate.convert.checks.integrity import check_integrity
from mm_ckpt_migrate.files.archive.format import Format
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.mapping.plan import Move, Plan, make_plan
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet
from mm_ckpt_migrate.verdicts import Status, Verdict

Open = Callable[[Path], Checkpoint]
# Legacy files and safetensors have no checksums of their own: only the comparison can tell.
CASE = CASES["mask2former_swin"]
KEY = "decode_head.transformer_decoder.layers.1.attentions.0.attn.in_proj_weight"
NEW_KEY = KEY.replace("attentions.0", "cross_attn")


@pytest.fixture
def opened() -> Iterator[Open]:
    with ExitStack() as stack:
        yield lambda path: open_checkpoint(stack.enter_context(Source(path)))


@pytest.fixture(
    params=[None, Format.ZIP, Format.SAFETENSORS], ids=["legacy", "zip", "safetensors"], scope="module"
)
def converted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("converted") / "new.pth"
    run(CASE, path, build=False, format=request.param)
    return path.read_bytes()


@pytest.fixture
def output(converted: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "new.pth"
    path.write_bytes(converted)
    return path


@pytest.fixture
def plan(families: dict[str, RuleSet], opened: Open) -> Plan:
    return make_plan(opened(CASE.old).schema, families[CASE.family])


def test_a_converted_file_passes(output: Path, plan: Plan, opened: Open) -> None:
    verdict = check_integrity(opened(CASE.old), opened(output), plan)
    assert verdict.status is Status.PASS
    assert "211 tensors, each in one place" in verdict.summary


@pytest.mark.parametrize("place", [0, 1, -1])
def test_one_changed_bit_is_found(output: Path, place: int, plan: Plan, opened: Open) -> None:
    found = opened(output)
    extent = found.extents[found.tensors[NEW_KEY].storage]
    at = extent.offset + place % extent.size
    data = bytearray(output.read_bytes())
    data[at] ^= 1
    output.write_bytes(data)
    verdict = check_integrity(opened(CASE.old), found, plan)
    assert verdict.details == (f"changed: {KEY}",)


def test_exchanged_attentions_are_found(output: Path, families: dict[str, RuleSet], opened: Open) -> None:
    """The file was made by the right rules; under the control every attention is elsewhere."""
    old = opened(CASE.old)
    wrong = make_plan(old.schema, families[CASE.family].with_control())
    verdict = check_integrity(old, opened(output), wrong)
    assert verdict.status is Status.FAIL
    layers = "changed: decode_head.transformer_decoder.layers.{0…2}.attentions.{0…1}.attn."
    assert len(verdict.details) == 4
    assert all(line.startswith(layers) for line in verdict.details)


def test_a_lost_and_an_invented_tensor(output: Path, plan: Plan, opened: Open) -> None:
    moves = tuple(m if m.source != KEY else Move(KEY, "decode_head.gone") for m in plan.moves)
    verdict = check_integrity(opened(CASE.old), opened(output), replace(plan, moves=moves))
    assert verdict.details == ("lost: decode_head.gone", f"from nowhere: {NEW_KEY}")


def test_a_tensor_that_the_plan_drops_must_not_be_there(output: Path, plan: Plan, opened: Open) -> None:
    moves = tuple(m if m.source != KEY else Move(KEY, None) for m in plan.moves)
    verdict = check_integrity(opened(CASE.old), opened(output), replace(plan, moves=moves))
    assert verdict.details == (f"from nowhere: {NEW_KEY}",)


# --- sharing ------------------------------------------------------------------------------------

TWO = pack("<2f", 1.5, -2.0)


def two(first: bytes, second: bytes, **storages: bytes) -> bytes:
    entries = {"a": first, "b": second}
    return torch_zip(
        stream(mapping({"state_dict": mapping(entries)})),
        {name.removeprefix("s"): data for name, data in storages.items()},
    )


ONE_STORAGE = two(tensor(Storage("0")), tensor(Storage("0")), s0=TWO)
TWO_STORAGES = two(tensor(Storage("0")), tensor(Storage("1")), s0=TWO, s1=TWO)
EXCHANGED = two(tensor(Storage("1")), tensor(Storage("0")), s0=TWO, s1=TWO)
SHORT = two(tensor(Storage("0"), shape=(1,)), tensor(Storage("1")), s0=TWO, s1=TWO)
MOVED = two(tensor(Storage("0"), shape=(1,), offset=1), tensor(Storage("1")), s0=TWO, s1=TWO)
STRIDED = two(tensor(Storage("0"), stride=(0,)), tensor(Storage("1")), s0=TWO, s1=TWO)
OTHER = two(tensor(Storage("0")), tensor(Storage("1")), s0=TWO, s1=TWO[::-1])
KEEP = Plan(
    family="f",
    released_from="1",
    released_to="2",
    rules_digest="",
    rules=(),
    moves=(Move("a", "a"), Move("b", "b")),
    modules=(),
)


@pytest.mark.parametrize(
    ("before", "after", "wrong"),
    [
        (ONE_STORAGE, ONE_STORAGE, ()),
        (TWO_STORAGES, TWO_STORAGES, ()),
        (TWO_STORAGES, EXCHANGED, ()),  # storages have no names of their own
        (ONE_STORAGE, TWO_STORAGES, ("changed: b",)),  # untied
        (TWO_STORAGES, ONE_STORAGE, ("changed: b",)),  # tied
        (TWO_STORAGES, SHORT, ("changed: a",)),
        (SHORT, MOVED, ("changed: a",)),
        (TWO_STORAGES, STRIDED, ("changed: a",)),
        (TWO_STORAGES, OTHER, ("changed: b",)),
    ],
)
def test_sharing_and_views(
    before: bytes, after: bytes, wrong: tuple[str, ...], tmp_path: Path, opened: Open
) -> None:
    old, new = tmp_path / "old.pth", tmp_path / "new.pth"
    old.write_bytes(before)
    new.write_bytes(after)
    verdict: Verdict = check_integrity(opened(old), opened(new), KEEP)
    assert verdict.details == wrong
    assert (verdict.status is Status.PASS) == (not wrong)
