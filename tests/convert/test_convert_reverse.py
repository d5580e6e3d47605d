"""`--reverse` gives the old file back: names, bytes, and where nothing was left out, all of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from golden_cases import CASES, FEW, NAMES, VARIED, Case, few_by_default, load, run, same_bytes, sha256
from support.equal import same

from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.options import Options
from mm_ckpt_migrate.errors import ExitCode, PlanError

pytestmark = pytest.mark.mm

Make = Callable[[str, bool], Path]


def reverse(path: Path, out: Path, **options: Any) -> list[str]:
    """Notices of the way back."""
    report = convert("auto", "-", path, out, Options(reverse=True, **options))
    assert report.exit_code == ExitCode.OK
    return [notice for notice in report.notices if "stays lost" in notice]


def there_and_back(old: Path, folder: Path, cfg: str = "-", **options: Any) -> Path:
    """With what torch.load refuses kept as it is: numbers made plain do not come back."""
    new, back = folder / "new.pth", folder / "back.pth"
    convert("auto", cfg, old, new, Options(keep_as_is=True, **options))
    assert sha256(new) != sha256(old)
    reverse(new, back)
    return back


@pytest.fixture
def weights_only(tmp_path: Path) -> Make:
    """A golden checkpoint saved again without the training state, as torch saves it."""

    def make(name: str, zipped: bool) -> Path:
        import torch

        content = load(CASES[name].old)
        for section in CASES[name].training_state:
            del content[section]
        path = tmp_path / "old.pth"
        torch.save(content, path, _use_new_zipfile_serialization=zipped)
        return path

    return make


@pytest.mark.parametrize(
    ("name", "zipped", "build"),
    [
        *few_by_default(NAMES, True, True),
        *((name, True, False) for name in FEW),
        *((name, False, False) for name in FEW),
    ],
)
def test_the_whole_file_comes_back(
    name: str, zipped: bool, build: bool, weights_only: Make, tmp_path: Path
) -> None:
    old = weights_only(name, zipped)
    back = there_and_back(old, tmp_path, CASES[name].new_config, build=build)
    assert sha256(back) == sha256(old)
    assert back.stat().st_mode == old.stat().st_mode


@pytest.mark.parametrize("zipped", [True, False])
def test_a_bare_state_dict_comes_back_bare(zipped: bool, tmp_path: Path) -> None:
    import torch

    old = tmp_path / "old.pth"
    state_dict = load(CASES["mask2former_r18"].old)["state_dict"]
    torch.save(state_dict, old, _use_new_zipfile_serialization=zipped)
    assert sha256(there_and_back(old, tmp_path, build=False)) == sha256(old)


def test_a_safetensors_file_comes_back(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    old = tmp_path / "old.safetensors"
    state_dict = load(CASES["maskformer_r18"].old)["state_dict"]
    save_file(state_dict, old, metadata={"format": "pt", "note": "kept"})
    assert sha256(there_and_back(old, tmp_path, build=False)) == sha256(old)


@pytest.mark.parametrize("older", ["no hub", "classes in meta", "upper case", "palette alone"])
@pytest.mark.parametrize("zipped", [True, False])
def test_what_was_put_in_goes_again(older: str, zipped: bool, weights_only: Make, tmp_path: Path) -> None:
    """A file of an older release, or a published one: it lacks what the current one looks for."""
    import torch

    old = weights_only("mask2former_r18", zipped)
    content = load(old)
    meta = content["meta"]
    classes, palette = (meta["dataset_meta"][name] for name in ("classes", "palette"))
    if older == "no hub":
        del content["message_hub"]
    elif older == "classes in meta":
        del meta["dataset_meta"]
        meta |= {"CLASSES": classes, "PALETTE": palette}
    elif older == "upper case":
        meta["dataset_meta"] = {"CLASSES": classes, "PALETTE": palette}
    else:
        meta["dataset_meta"] = {"classes": classes, "PALETTE": palette}
    torch.save(content, old, _use_new_zipfile_serialization=zipped)
    back = there_and_back(old, tmp_path, build=False)
    assert load(tmp_path / "new.pth")["message_hub"]["runtime_info"]["cfg"]
    assert set(load(tmp_path / "new.pth")["meta"]["dataset_meta"]) >= {"classes", "palette"}
    assert sha256(back) == sha256(old)


def test_the_configs_come_back_also_where_numbers_became_plain(logged: Case, tmp_path: Path) -> None:
    new, back = tmp_path / "new.pth", tmp_path / "back.pth"
    run(logged, new, build=False)
    reverse(new, back)
    old, made, found = (load(path) for path in (logged.old, new, back))
    for content, other in ((found, old), (made, old)):
        equal = content is found
        assert (content["meta"]["cfg"] == other["meta"]["cfg"]) is equal
        first, second = (c["message_hub"]["runtime_info"]["cfg"] for c in (content, other))
        assert (first == second) is equal
    # What became plain stays plain.
    assert same(found["message_hub"]["log_history"], made["message_hub"]["log_history"])


@pytest.mark.parametrize(
    ("name", "build"), [*few_by_default(NAMES, False), *((name, True) for name in VARIED)]
)
def test_without_the_training_state_the_rest_is_bit_for_bit(name: str, build: bool, tmp_path: Path) -> None:
    """Only the training state stays behind: its place in the old order is not in the stamp."""
    case = CASES[name]
    new, back = tmp_path / "new.pth", tmp_path / "back.pth"
    run(case, new, build=build, keep_as_is=True)
    carried = [name for name in case.training_state if name in load(new)]
    report = convert("auto", "-", new, back, Options(reverse=True))
    said = [n.split()[0] for n in report.notices if "holds no checksum" not in n]
    assert sorted(said) == sorted(case.training_state)
    gone = [n.split()[0] for n in report.notices if "its state belongs to the new order" in n]
    assert gone == carried
    old, found = load(case.old), load(back)
    for section in case.training_state:
        del old[section]
    assert same(old, found)
    assert list(found["state_dict"]) == list(old["state_dict"])
    for section in [s for s in ("state_dict", "ema_state_dict") if s in old]:
        assert all(same_bytes(t, found[section][n]) for n, t in old[section].items())
        # mmcv wrote none until 1.3.13.
        before, after = (getattr(c[section], "_metadata", None) for c in (old, found))
        assert before == after
        assert list(before or ()) == list(after or ())
    assert "mm_ckpt_migrate" not in found["meta"]


def test_and_there_again_is_the_same_file(tmp_path: Path) -> None:
    case = CASES["maskformer_swin"]
    new, back, again = (tmp_path / name for name in ("new.pth", "back.pth", "again.pth"))
    run(case, new, build=False)
    reverse(new, back)
    convert("auto", "-", back, again, Options(build=False))
    assert load(new)["state_dict"].keys() == load(again)["state_dict"].keys()
    stamps = [load(path)["meta"]["mm_ckpt_migrate"] for path in (new, again)]
    assert stamps[0]["plan"] == stamps[1]["plan"]
    assert stamps[1]["source_sha256"] == sha256(back)


def test_a_saved_plan_leads_back_from_a_file_without_a_stamp(tmp_path: Path) -> None:
    import torch

    case = CASES["mask2former_swin"]
    new, bare, back = (tmp_path / name for name in ("new.pth", "bare.pth", "back.pth"))
    run(case, new, build=False, plan_file=tmp_path / "plan.json")
    torch.save(load(new)["state_dict"], bare)
    with pytest.raises(PlanError, match="bears no stamp"):
        reverse(bare, back)
    reverse(bare, back, plan_file=tmp_path / "plan.json")
    found, old = load(back), load(case.old)["state_dict"]
    assert list(found["state_dict"]) == list(old)
    assert all(same_bytes(tensor, found["state_dict"][name]) for name, tensor in old.items())


@pytest.mark.parametrize("text", ["", "{}", "[" * 100_000, '{"plan": 1}', "null"])
def test_a_plan_file_that_is_none(text: str, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(text)
    with pytest.raises(PlanError):
        reverse(CASES["maskformer_r18"].old, tmp_path / "back.pth", plan_file=plan)


def test_a_plan_of_another_file_is_refused(tmp_path: Path) -> None:
    run(CASES["mask2former_swin"], tmp_path / "a.pth", build=False, plan_file=tmp_path / "p.json")
    run(CASES["mask2former_r18"], tmp_path / "b.pth", build=False)
    with pytest.raises(PlanError, match="its keys are not those that the plan made"):
        reverse(tmp_path / "b.pth", tmp_path / "c.pth", plan_file=tmp_path / "p.json")
