"""Forward: real models, in two processes. The old release is one of them where it is at hand."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from forward_sides import CASE, planned, side
from golden_cases import CASES, load, run
from support.releases import NO_OLD_RELEASE, old_python

from mm_ckpt_migrate.configs.read.config import read_config
from mm_ckpt_migrate.errors import CheckpointError, ConfigError
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet
from mm_ckpt_migrate.releases.process import ReleaseProcess
from mm_ckpt_migrate.verdicts import Status, Verdict
from mm_ckpt_migrate.verify.raw_outputs import model_request
from mm_ckpt_migrate.verify.rungs.forward import ForwardResult, Image, Side, check_forward

pytestmark = pytest.mark.mm
HERE = Path(__file__).parent
SMALL = Image(size=(64, 96))
DECODER = "decode_head.transformer_decoder.layers"
KEY_BIASES = [
    *(
        f"backbone.stages.{n}.attn.w_msa.qkv.bias[key]"
        for n in ("0.blocks.0", "1.blocks.0", "2.blocks.0", "2.blocks.1", "3.blocks.0")
    ),
    *(f"{DECODER}.{n}.{kind}_attn.attn.in_proj_bias[key]" for n in range(3) for kind in ("self", "cross")),
]
# Releases 2.x wrote these; the old release here is of 3.0.
OF_MMDET_2 = {"detr_g1_r18", "rpn_r18", "yolact_r18"}


@pytest.fixture(scope="module")
def processes() -> Iterator[tuple[ReleaseProcess, ReleaseProcess]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(HERE))  # `reordered_backbone` lies here
        with ReleaseProcess() as first, ReleaseProcess() as second:
            yield first, second


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("releases") / "new.pth"
    run(CASE, path, build=False)
    return path


@pytest.fixture(scope="module")
def control(families: dict[str, RuleSet]) -> dict[str, str]:
    return planned(CASE, families)[1]


Judge = Callable[..., tuple[Verdict, ForwardResult]]


@pytest.fixture
def judge(
    processes: tuple[ReleaseProcess, ReleaseProcess], new: Path, control: dict[str, str], tmp_path: Path
) -> Judge:
    """Compare the right file with one whose weights were changed."""

    def run_one(
        change: Callable[[Any], None] = lambda _: None, backbone: str = "", **options: Any
    ) -> tuple[Verdict, ForwardResult]:
        content = load(new)
        change(content["state_dict"])
        import torch

        torch.save(content, tmp_path / "changed.pth")
        first, second = side(processes[0], new), side(processes[1], tmp_path / "changed.pth")
        if backbone:
            second = dataclasses.replace(second, model=with_backbone(backbone))
        names = options.pop("control", control)
        return check_forward(first, second, names, images=(SMALL,), **{"budget": 0, **options})

    return run_one


def with_backbone(kind: str) -> Any:
    config: Any = copy.deepcopy(read_config(Path(CASE.new_config)))
    config["model"]["backbone"]["type"] = kind
    config["custom_imports"] = {"imports": ["mmdet.models", "reordered_backbone"]}
    return model_request(config, "changed config", ("reordered_backbone",))


def swap(first: str, second: str) -> Callable[[Any], None]:
    def change(state: Any) -> None:
        assert state[first].shape == state[second].shape
        state[first], state[second] = state[second], state[first]

    return change


def test_the_same_file_passes_and_shows_what_it_cannot_see(judge: Judge) -> None:
    verdict, result = judge(budget=60)
    assert verdict.status is Status.PASS, verdict
    assert "equal those of the old code to the last bit" in verdict.summary
    assert [(d.name, d.largest) for d in result.differences] == [
        ("cls_logits", 0.0),
        ("mask_logits", 0.0),
        ("seg_logits", 0.0),
    ]
    assert sorted(result.unseen) == sorted(KEY_BIASES)
    assert (result.untried, result.tensors) == ((), 211)
    assert result.control > 1
    assert 1000 < len(result.scatter) <= 2000
    assert all(old == new for old, new in result.scatter)


def test_two_tensors_of_one_shape_exchanged(judge: Judge) -> None:
    name = f"{DECODER}.{{}}.ffn.layers.1.weight"
    verdict, result = judge(swap(name.format(0), name.format(1)))
    assert verdict.status is Status.FAIL
    assert "an error, no rounding" in verdict.summary
    assert result.first_module == f"{DECODER}.0.ffn.layers.1"


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("backbone.patch_embed.projection.weight", "backbone.patch_embed.projection"),
        (f"{DECODER}.2.norms.1.weight", f"{DECODER}.2.norms.1"),
        ("decode_head.mask_embed.2.bias", "decode_head.mask_embed.2"),
    ],
)
def test_one_number_changed_a_little(judge: Judge, name: str, module: str) -> None:
    def change(state: Any) -> None:
        state[name].view(-1)[0] += 1e-4

    verdict, result = judge(change)
    assert verdict.status is Status.FAIL
    assert result.first_module == module


def test_not_a_number_fails(judge: Judge) -> None:
    def change(state: Any) -> None:
        state[f"{DECODER}.1.norms.0.bias"][0] = float("nan")

    verdict, result = judge(change)
    assert verdict.status is Status.FAIL
    assert "differ by nan" in verdict.summary
    assert result.first_module == f"{DECODER}.1.norms.0"


def test_what_no_output_sees_only_integrity_can_tell(judge: Judge) -> None:
    """Two key biases exchanged: at most rounding. This is why they are listed."""
    name = f"{DECODER}.{{}}.self_attn.attn.in_proj_bias"

    def change(state: Any) -> None:
        size = len(state[name.format(0)]) // 3
        keys = [state[name.format(layer)][size : 2 * size] for layer in (0, 2)]
        first, second = keys[0].clone(), keys[1].clone()
        assert not first.equal(second)
        keys[0].copy_(second)
        keys[1].copy_(first)

    assert judge(change)[0].status is Status.PASS


def test_a_control_that_changes_nothing_proves_nothing(judge: Judge) -> None:
    verdict, _ = judge(control={})
    assert verdict.status is Status.SKIPPED
    assert "this proves nothing: the wrong mapping gives the same outputs" in verdict.summary


def test_the_other_familys_rules(judge: Judge, control: dict[str, str]) -> None:
    def change(state: Any) -> None:
        old = dict(state)
        state.update({control[name]: value for name, value in old.items()})

    verdict, result = judge(change)
    assert verdict.status is Status.FAIL
    assert "exchanged, they are equal: another family's rules made this file" in verdict.summary
    assert result.first_module is not None
    assert result.first_module.startswith(f"{DECODER}.0.cross_attn")


def test_rounding_is_no_error(judge: Judge) -> None:
    verdict, result = judge(backbone="ReorderedSwin")
    assert verdict.status is Status.PASS, verdict
    assert "in float64: rounding" in verdict.summary
    assert result.differences64 is not None
    assert 0 < max(d.largest for d in result.differences) < 1e-3
    assert max(d.largest for d in result.differences64) < 1e-12


def test_an_error_as_small_as_rounding_is_no_rounding(judge: Judge) -> None:
    verdict, result = judge(backbone="SlightlyOtherSwin")
    assert verdict.status is Status.FAIL
    assert max(d.largest for d in result.differences) < 1e-4
    assert "an error, no rounding" in verdict.summary
    assert result.first_module is not None
    assert result.first_module.startswith("backbone.patch_embed")


def test_outputs_that_never_repeat(judge: Judge) -> None:
    verdict, result = judge(backbone="RandomSwin")
    assert verdict.status is Status.SKIPPED
    assert not result.repeats
    assert "the same run gives other outputs each time" in verdict.summary


def test_one_seed_for_what_draws_random_numbers(judge: Judge) -> None:
    _, result = judge(backbone="NoisySwin")
    assert result.repeats


def test_a_file_that_does_not_load_is_an_error_with_its_name(
    processes: tuple[ReleaseProcess, ReleaseProcess], new: Path, control: dict[str, str]
) -> None:
    for process in processes:  # neither is of use for another test if an answer is left over
        with pytest.raises(CheckpointError, match=r"f833cdc7\.pth: its weights do not load"):
            side(process, CASE.old).demand("forward", seed=0, size=[64, 64])
    missing = dataclasses.replace(side(processes[0], new), file=new.with_name("none.pth"))
    with pytest.raises(CheckpointError, match=r"none\.pth"):
        missing.demand("forward", seed=0, size=[64, 64])


def test_a_config_that_cannot_be_built(processes: tuple[ReleaseProcess, ReleaseProcess], new: Path) -> None:
    with pytest.raises(ConfigError, match="'Nothing' is no class that may be built"):
        model_request({"model": {"type": "Nothing"}}, "bad.py")
    request = model_request({"model": {"type": "EncoderDecoder"}}, "bad.py")
    with pytest.raises(ConfigError, match=r"bad\.py: the model cannot be built or run"):
        Side(processes[0], request, new).demand("forward", seed=0, size=[64, 64])
    with pytest.raises(ConfigError, match="it has no `model`"):
        model_request({}, "bad.py")


def collapsed(state: Any) -> None:
    for name in ("query_feat", "query_embed"):
        state[f"decode_head.{name}.weight"][:] = state[f"decode_head.{name}.weight"][0]


def blind(state: Any) -> None:
    state["backbone.patch_embed.projection.weight"].zero_()


@pytest.mark.parametrize(
    ("change", "said"),
    [(collapsed, "all queries give the same class logits"), (blind, "another image gives the same outputs")],
)
def test_a_model_that_could_not_show_an_error(
    change: Callable[[Any], None],
    said: str,
    new: Path,
    control: dict[str, str],
    processes: tuple[ReleaseProcess, ReleaseProcess],
    tmp_path: Path,
) -> None:
    import torch

    content = load(new)
    change(content["state_dict"])
    torch.save(content, tmp_path / "dead.pth")
    both = [side(process, tmp_path / "dead.pth") for process in processes]
    verdict, _ = check_forward(both[0], both[1], control, images=(SMALL,), budget=0)
    assert verdict.status is Status.SKIPPED
    assert "this proves nothing" in verdict.summary
    assert said in verdict.summary


# --- the old release itself -----------------------------------------------------------------------


@pytest.mark.skipif(old_python() is None, reason=NO_OLD_RELEASE)
def test_the_old_release_gives_the_same(
    processes: tuple[ReleaseProcess, ReleaseProcess], families: dict[str, RuleSet], tmp_path: Path
) -> None:
    python = old_python()
    assert python is not None
    with ReleaseProcess(python) as old:
        for case in CASES.values():
            if case.name in OF_MMDET_2:
                continue
            new = tmp_path / f"{case.name}.pth"
            run(case, new, build=False)
            plan, control = planned(case, families)
            sides = side(old, case.old, case.old_config), side(processes[0], new, case.new_config)
            verdict, result = check_forward(*sides, control, plan=plan, images=(SMALL,), budget=0)
            assert verdict.status is Status.PASS, verdict
            assert {d.largest for d in result.differences} == {0.0}


@pytest.mark.skipif(old_python() is None, reason=NO_OLD_RELEASE)
def test_the_old_release_names_the_module_that_differs(
    processes: tuple[ReleaseProcess, ReleaseProcess], new: Path, families: dict[str, RuleSet], tmp_path: Path
) -> None:
    import torch

    python = old_python()
    assert python is not None
    content = load(new)
    name = f"{DECODER}.{{}}.cross_attn.attn.out_proj.weight"
    swap(name.format(1), name.format(2))(content["state_dict"])
    torch.save(content, tmp_path / "wrong.pth")
    plan, control = planned(CASE, families)
    with ReleaseProcess(python) as old:
        verdict, result = check_forward(
            side(old, CASE.old, CASE.old_config),
            side(processes[0], tmp_path / "wrong.pth"),
            control,
            plan=plan,
            images=(SMALL,),
        )
    assert verdict.status is Status.FAIL
    assert result.first_module is not None
    assert result.first_module.startswith(f"{DECODER}.1.cross_attn")
