"""V1 to V4: `verify --source` sees every entry of the file, whoever changed it and however."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from golden_cases import CASES, GOLDEN
from support.zips import build_zip, members_of

from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.options import EMBEDDED, Options, Purpose
from mm_ckpt_migrate.convert.stamp import TOOL
from mm_ckpt_migrate.errors import ExitCode
from mm_ckpt_migrate.files.archive.format import Format
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.archive.torchzip import TorchZip
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.mapping.rules.library import load_rules
from mm_ckpt_migrate.names import STAMP_KEY
from mm_ckpt_migrate.verdicts import Rung, Status, Verdict
from mm_ckpt_migrate.verify.files import open_files
from mm_ckpt_migrate.verify.options import VerifyOptions
from mm_ckpt_migrate.verify.run import verify
from mm_ckpt_migrate.verify.rungs import static_rungs

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.mm

Content = dict[str, Any]
TRAINING = GOLDEN.parent / "resume" / "maskformer_r18.pth"
OLD = {**{name: case.old for name, case in CASES.items()}, "training": TRAINING}
HUB = "message_hub.runtime_info"


def integrity_of(new: Path, old: Path) -> Verdict:
    with ExitStack() as stack:
        return static_rungs.integrity(open_files(stack, new, old, load_rules()), None)


def made(old: Path, new: Path, **options: Any) -> Path:
    convert("auto", "-", old, new, Options(build=False, **options))
    return new


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(TRAINING, tmp_path_factory.mktemp("whole") / "new.pth")


@pytest.fixture
def content(whole: Path) -> Content:
    found: Content = torch.load(whole)
    return found


def saved(content: Content, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    torch.save(content, folder / "edited.pth")
    return folder / "edited.pth"


def put(*path: Any, value: Any) -> Callable[[Content], None]:
    def change(content: Content) -> None:
        holder: Any = content
        for name in path[:-1]:
            holder = holder[name]
        holder[path[-1]] = value

    return change


def lose(*path: Any) -> Callable[[Content], None]:
    def change(content: Content) -> None:
        holder: Any = content
        for name in path[:-1]:
            holder = holder[name]
        del holder[path[-1]]

    return change


def another_rate(content: Content) -> None:
    for holder in (content["meta"], content["message_hub"]["runtime_info"]):
        holder["cfg"] = holder["cfg"].replace("123.675", "0.0")


def reversed_classes(content: Content) -> None:
    found = content["meta"]["dataset_meta"]["classes"]
    content["meta"]["dataset_meta"]["classes"] = type(found)(list(found)[::-1])


def a_comment(content: Content) -> None:
    content["meta"]["cfg"] += "# one more line\n"


def no_metadata(content: Content) -> None:
    del content["state_dict"]._metadata


def another_version(content: Content) -> None:
    content["state_dict"]._metadata["decode_head"]["version"] = 7


def another_order(content: Content) -> None:
    state = content["state_dict"]
    state.move_to_end(next(iter(state)))


def another_momentum(content: Content) -> None:
    state = content["optimizer"]["state"]
    state[next(iter(state))]["step"] += 1


def an_old_text(content: Content) -> None:
    content["meta"]["mm_ckpt_migrate"]["configs"][0]["text"] += " "


def another_origin(content: Content) -> None:
    content["meta"]["mm_ckpt_migrate"]["origin_sha256"] = "0" * 64


EDITS = [
    (put("meta", "iter", value=5), "changed: meta.iter"),
    (put("meta", "added", value=1), "from nowhere: meta.added"),
    (lose("meta", "seed"), "lost: meta.seed"),
    (reversed_classes, "changed: meta.dataset_meta.classes[0]"),
    (another_rate, f"changed: {HUB}.cfg: model.data_preprocessor.mean.0"),
    (a_comment, "changed: meta.cfg: its text, while the settings are the same"),
    (put("meta", "cfg", value="x = open('y')"), "changed: meta.cfg"),
    (lose("message_hub"), "lost: message_hub"),
    (put("message_hub", "runtime_info", "iter", value=-1), f"changed: {HUB}.iter"),
    (no_metadata, "lost: state_dict._metadata"),
    (another_version, "changed: state_dict._metadata.decode_head.version"),
    (another_order, "in another order: state_dict"),
    (another_momentum, "changed: optimizer.state.0.step"),
    (put("optimizer", "param_groups", 0, "lr", value=7.0), "changed: optimizer.param_groups[0].lr"),
    (lose("optimizer"), "lost: optimizer"),
    (lose("param_schedulers", 0), "changed: param_schedulers"),
    (put("param_schedulers", 0, "last_step", value=9), "changed: param_schedulers[0].last_step"),
    (an_old_text, "changed: meta.mm_ckpt_migrate.configs[0].text"),
    (another_origin, "changed: meta.mm_ckpt_migrate.origin_sha256"),
]


@pytest.mark.parametrize(("edit", "line"), EDITS, ids=[line for _, line in EDITS])
def test_an_edit_is_named(
    edit: Callable[[Content], None], line: str, content: Content, tmp_path: Path
) -> None:
    edit(content)
    verdict = integrity_of(saved(content, tmp_path), TRAINING)
    assert verdict.status is Status.FAIL
    assert any(detail.startswith(line) for detail in verdict.details), verdict.details


def test_the_same_content_written_by_torch_passes(content: Content, tmp_path: Path) -> None:
    verdict = integrity_of(saved(content, tmp_path), TRAINING)
    assert (verdict.status, verdict.details) == (Status.PASS, ())
    assert verdict.summary.endswith("; every other entry is as it should be")


def test_momentum_that_is_lost_whatever_the_stamp_says(content: Content, tmp_path: Path) -> None:
    """V3: the stamp's list of what was dropped is held against what would be dropped."""
    del content["optimizer"], content["param_schedulers"]
    content["meta"]["mm_ckpt_migrate"]["dropped"] = ["optimizer", "param_schedulers"]
    verdict = integrity_of(saved(content, tmp_path), TRAINING)
    assert verdict.status is Status.FAIL
    assert "lost: optimizer" in verdict.details


def test_without_its_stamp_the_rest_is_judged(content: Content, tmp_path: Path) -> None:
    del content["meta"]["mm_ckpt_migrate"]
    assert integrity_of(saved(content, tmp_path), TRAINING).status is Status.PASS
    content["meta"]["iter"] += 1
    assert integrity_of(saved(content, tmp_path), TRAINING).status is Status.FAIL


def test_an_object_that_stands_for_two_equal_ones(tmp_path: Path) -> None:
    """Whoever changes one of them changes the other; and as the old file has it, it stays."""
    content = torch.load(TRAINING, weights_only=False)
    content["meta"]["mine"], content["meta"]["yours"] = [1, 2], [1, 2]
    content["meta"]["ours"] = content["meta"]["mine"]
    old = saved(content, tmp_path)
    new = made(old, tmp_path / "new.pth")
    content = torch.load(new)
    assert integrity_of(saved(content, tmp_path / "edited"), old).status is Status.PASS
    for name in ("mine", "yours"):
        edited = torch.load(new)
        edited["meta"]["ours"] = edited["meta"]["yours"] if name == "yours" else [1, 2]
        verdict = integrity_of(saved(edited, tmp_path / "edited"), old)
        assert verdict.status is Status.FAIL
        assert "changed: meta.ours" in verdict.details


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"ctorch._utils\n_rebuild_tensor_v2\n", b"ctorch\n_utils._rebuild_tensor_v2\n"),
        (b"ctorch\nFloatStorage\n", b"ctorch.storage\nFloatStorage\n"),
    ],
)
def test_a_name_that_nothing_is_found_by(before: bytes, after: bytes, whole: Path, tmp_path: Path) -> None:
    """`torch` has no attribute `_utils._rebuild_tensor_v2` for a loader that looks it up."""
    with Source(whole) as source:
        found = open_checkpoint(source)
        assert isinstance(found.container, TorchZip)
        held = {k: source.read(e.offset, e.size) for k, e in found.extents.items()}
        pickle = found.container.pickle
    assert before in pickle
    members = members_of(pickle.replace(before, after), held)
    (tmp_path / "edited.pth").write_bytes(build_zip(members))
    assert integrity_of(tmp_path / "edited.pth", TRAINING).status is Status.FAIL


@pytest.mark.parametrize("where", [(), ("message_hub",), ("state_dict",)])
def test_without_its_stamp_no_other_entry_passes_for_it(
    where: tuple[str, ...], content: Content, tmp_path: Path
) -> None:
    stamp = content["meta"].pop("mm_ckpt_migrate")
    value = torch.ones(1) if where == ("state_dict",) else stamp
    put(*where, "mm_ckpt_migrate", value=value)(content)
    verdict = integrity_of(saved(content, tmp_path), TRAINING)
    assert verdict.status is Status.FAIL


def test_a_stamp_that_is_nested_deeply(tmp_path: Path) -> None:
    """What json reads may still be too deep for us."""
    options = {"format": Format.SAFETENSORS, "purpose": Purpose.INFERENCE}
    path = made(TRAINING, tmp_path / "new.safetensors", **options)
    data = path.read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    strings = header["__metadata__"]
    strings[STAMP_KEY] = f'{strings[STAMP_KEY][:-1]}, "x": {"[" * 900}{"]" * 900}}}'
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[end:])
    verdict = integrity_of(path, TRAINING)
    assert (verdict.status, verdict.details) == (Status.FAIL, (f"changed: {STAMP_KEY}",))


def test_storages_in_another_order(whole: Path, tmp_path: Path) -> None:
    with Source(whole) as source:
        found = open_checkpoint(source)
        assert isinstance(found.container, TorchZip)
        held = {k: source.read(e.offset, e.size) for k, e in found.extents.items()}
        pickle = found.container.pickle
    for order in (list(held), list(held)[::-1]):
        members = members_of(pickle, {key: held[key] for key in order})
        (tmp_path / "laid.pth").write_bytes(build_zip(members))
        verdict = integrity_of(tmp_path / "laid.pth", TRAINING)
        assert verdict.status is (Status.PASS if order == list(held) else Status.FAIL)


# --- every way to make a file --------------------------------------------------------------------

WAYS: list[dict[str, Any]] = [
    {},
    {"purpose": Purpose.INFERENCE},
    {"keep_as_is": True},
    {"format": Format.SAFETENSORS},
    {"format": Format.ZIP, "purpose": Purpose.INFERENCE, "keep_as_is": True},
]


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in ("rpn_r18", "training") else pytest.mark.thorough)
        for name in OLD
    ],
)
def test_what_convert_wrote_passes(name: str, way: dict[str, Any], tmp_path: Path) -> None:
    verdict = integrity_of(made(OLD[name], tmp_path / "new.pth", **way), OLD[name])
    assert (verdict.status, verdict.details) == (Status.PASS, ())


def test_the_raw_weights_of_an_average(tmp_path: Path) -> None:
    old = OLD["mask2former_r18"]
    options: dict[str, Any] = {"purpose": Purpose.INFERENCE, "raw_weights": True}
    new = made(old, tmp_path / "new.pth", **options)
    assert integrity_of(new, old).status is Status.PASS
    content = torch.load(new)
    content["meta"]["mm_ckpt_migrate"]["raw"] = False
    assert integrity_of(saved(content, tmp_path), old).status is Status.FAIL


@pytest.mark.parametrize("raw", [True, False])
def test_the_buffers_that_mmcv_1_kept_an_average_in(raw: bool, tmp_path: Path) -> None:
    content = torch.load(TRAINING, weights_only=False)
    state = content["state_dict"]
    names = [name for name, tensor in state.items() if tensor.is_floating_point()]
    buffers = {f"ema_{name.replace('.', '_')}": state[name] + 1 for name in names}
    old = saved({"state_dict": {**state, **buffers}}, tmp_path)
    for number, way in enumerate(({}, {"purpose": Purpose.INFERENCE, "raw_weights": raw})):
        new = made(old, tmp_path / f"new{number}.pth", **way)
        assert integrity_of(new, old).status is Status.PASS


def test_a_source_without_crcs(tmp_path: Path) -> None:
    """Its bytes are compared with those of a file that has some."""
    content = torch.load(TRAINING, weights_only=False)
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        old = saved(content, tmp_path)
    finally:
        torch.serialization.set_crc32_options(before)
    new = made(old, tmp_path / "new.pth", check_crc=False)
    assert integrity_of(new, old).status is Status.PASS


# --- other makers --------------------------------------------------------------------------------


def older(content: Content) -> None:
    """As the stamp was before it said how the file was made."""
    stamp = content["meta"]["mm_ckpt_migrate"]
    del stamp["inference"], stamp["as_is"]


def of_another_version(content: Content) -> None:
    content["meta"]["mm_ckpt_migrate"]["tool"] = "mm-ckpt-migrate 99.0"


@pytest.mark.parametrize("maker", [older, of_another_version])
def test_what_another_version_made(
    maker: Callable[[Content], None], content: Content, tmp_path: Path
) -> None:
    maker(content)
    verdict = integrity_of(saved(content, tmp_path), TRAINING)
    assert verdict.status is Status.PASS
    assert verdict.details[0].startswith("made by mm-ckpt-migrate ")
    another_rate(content)
    verdict = integrity_of(saved(content, tmp_path), TRAINING)
    assert verdict.status is Status.SKIPPED
    assert len(verdict.details) == 2
    assert all("made otherwise by" in line for line in verdict.details)
    content["meta"]["iter"] += 1
    verdict = integrity_of(saved(content, tmp_path), TRAINING)
    assert verdict.status is Status.FAIL
    assert verdict.details[0] == "changed: meta.iter"


def test_a_plan_of_rules_that_were_edited_since(content: Content, tmp_path: Path) -> None:
    from mm_ckpt_migrate.mapping.plan import plan_from_json

    stamp = content["meta"]["mm_ckpt_migrate"]
    plan = json.loads(stamp["plan"])
    plan["rules_sha256"] = "0" * 64
    stamp["plan"] = json.dumps(plan, separators=(",", ":"))
    stamp["plan_sha256"] = plan_from_json(plan).digest
    assert integrity_of(saved(content, tmp_path), TRAINING).status is Status.PASS
    plan["keys"][0][1] += "x"
    stamp["plan"] = json.dumps(plan, separators=(",", ":"))
    stamp["plan_sha256"] = plan_from_json(plan).digest
    assert integrity_of(saved(content, tmp_path), TRAINING).status is Status.FAIL


# --- of another family ----------------------------------------------------------------------------


@pytest.mark.parametrize("tool", [TOOL, "mm-ckpt-migrate 99.0"])
@pytest.mark.parametrize("family", ["maskformer", "mask2former"])
def test_a_family_that_was_forced(family: str, tool: str, tmp_path: Path) -> None:
    """V10: both mappings load strictly, one computes garbage, and nothing inside tells the two."""
    content = torch.load(TRAINING, weights_only=False)
    old = saved({"state_dict": content["state_dict"]}, tmp_path)
    new = tmp_path / "new.pth"
    convert(family, "-", old, new, Options(build=False, force_family=True))
    edited = torch.load(new)
    edited["meta"]["mm_ckpt_migrate"]["tool"] = tool
    new = saved(edited, tmp_path / "edited")
    found = verify(new, EMBEDDED, VerifyOptions(source=old, legacy=None))
    roles = next(v for v in found.verdicts if v.rung is Rung.ROLES)
    if family == "maskformer":
        assert roles.status is Status.SKIPPED
        assert found.exit_code is ExitCode.OK
    else:
        assert roles.status is Status.FAIL
        assert "unproven, and forced: this is a maskformer checkpoint" in roles.summary
        assert found.exit_code is ExitCode.ROLES_FAILED


# --- without a config inside ----------------------------------------------------------------------


@pytest.fixture
def bare(tmp_path: Path) -> tuple[Path, Path]:
    """A training without a config, and what was made of it."""
    content = torch.load(TRAINING, weights_only=False)
    del content["meta"]["cfg"], content["message_hub"]["runtime_info"]["cfg"]
    old = saved(content, tmp_path)
    return old, made(old, tmp_path / "new.pth")


def test_a_file_without_a_config_is_judged_by_what_needs_none(bare: tuple[Path, Path]) -> None:
    old, new = bare
    found = verify(new, EMBEDDED, VerifyOptions(source=old, legacy=None))
    statuses = {v.rung: v.status for v in found.verdicts}
    assert statuses == {**dict.fromkeys(Rung, Status.SKIPPED), Rung.INTEGRITY: Status.PASS}
    keys = next(v for v in found.verdicts if v.rung is Rung.KEYS)
    assert "there is no config to build a model from (--cfg)" in keys.summary
    assert verify(new, EMBEDDED, VerifyOptions(legacy=None)).exit_code == ExitCode.BAD_TARGET


def test_exchanged_momentum_needs_no_model(bare: tuple[Path, Path], tmp_path: Path) -> None:
    old, new = bare
    content = torch.load(new)
    state = content["optimizer"]["state"]
    first, second = (key for key in list(state)[-2:])
    state[first], state[second] = state[second], state[first]
    assert integrity_of(saved(content, tmp_path), old).status is Status.FAIL
