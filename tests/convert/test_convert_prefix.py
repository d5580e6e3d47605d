"""M8: what DataParallel and torch.compile put before every key goes, once, and comes back."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from golden_cases import CASES, load, sha256
from support.equal import same
from support.layouts import checkpoint_of

from mm_ckpt_migrate.convert.api import convert, plan
from mm_ckpt_migrate.convert.options import Options
from mm_ckpt_migrate.convert.write import new_file
from mm_ckpt_migrate.errors import ExitCode, FamilyError, MigrateError, PlanError
from mm_ckpt_migrate.identify.layouts.table import load_table
from mm_ckpt_migrate.identify.survey import survey
from mm_ckpt_migrate.mapping.plan import plan_from_json
from mm_ckpt_migrate.mapping.rules.library import load_rules
from mm_ckpt_migrate.names import prefix_of
from mm_ckpt_migrate.verdicts import ConvertReport

torch = pytest.importorskip("torch")

TORCHS = ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."]
# What Lightning and mmrazor call the model, alone and with a wrapper of torch's around or within.
OWNERS = ["model.", "architecture.", "module.architecture.", "model._orig_mod.", "model.module."]
PREFIXES = TORCHS + OWNERS
CASE = CASES["mask2former_r18"]
Save = Callable[..., Path]


def wrapped(state_dict: Any, prefix: str) -> Any:
    """A state dict as a wrapped model gives it."""
    inner = OrderedDict((prefix + name, value) for name, value in state_dict.items())
    path, metadata = "", OrderedDict()  # type: ignore[var-annotated]
    for wrapper in prefix.split(".")[:-1]:
        metadata[path] = {"version": 1}
        path = f"{path}.{wrapper}".lstrip(".")
    for name, entry in state_dict._metadata.items():
        metadata[f"{prefix}{name}".rstrip(".")] = {"version": entry["version"]}
    inner._metadata = metadata  # type: ignore[attr-defined]
    return inner


@pytest.mark.parametrize("prefix", TORCHS)
def test_wrapping_here_is_torchs(prefix: str) -> None:
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4))
    outer = model
    for wrapper in reversed(prefix.split(".")[:-1]):
        outer = torch.nn.DataParallel(outer) if wrapper == "module" else torch.compile(outer)
    expected, found = outer.state_dict(), wrapped(model.state_dict(), prefix)
    assert list(found) == list(expected)
    assert list(found._metadata.items()) == list(expected._metadata.items())


@pytest.fixture
def saved(tmp_path: Path) -> Save:
    def save(prefix: str, name: str = "old.pth", *, bare: bool = False, zipped: bool = True) -> Path:
        content = load(CASE.old)
        content["state_dict"] = wrapped(content["state_dict"], prefix)
        del content["ema_state_dict"]
        torch.save(
            content["state_dict"] if bare else content, tmp_path / name, _use_new_zipfile_serialization=zipped
        )
        return tmp_path / name

    return save


def convert_plainly(old: Path, new: Path, **options: Any) -> ConvertReport:
    report = convert("auto", "-", old, new, Options(build=False, **options))
    assert report.exit_code == ExitCode.OK
    return report


def without_stamp(path: Path) -> Any:
    content = load(path)
    del content["meta"]["mm_ckpt_migrate"]
    return content


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("prefix", PREFIXES)
def test_all_is_as_without_the_prefix(prefix: str, zipped: bool, saved: Save) -> None:
    old, plain = saved(prefix, zipped=zipped), saved("", "plain.pth", zipped=zipped)
    new, expected = old.with_name("new.pth"), old.with_name("expected.pth")
    report = convert_plainly(old, new)
    assert any(f"{prefix!r} stood before every key" in notice for notice in report.notices)
    convert_plainly(plain, expected)
    found, wanted = without_stamp(new), without_stamp(expected)
    assert same(found, wanted)
    assert found["state_dict"]._metadata == wanted["state_dict"]._metadata


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("prefix", PREFIXES)
def test_the_way_back(prefix: str, zipped: bool, saved: Save) -> None:
    old = saved(prefix, bare=True, zipped=zipped)
    new, back = old.with_name("new.pth"), old.with_name("back.pth")
    convert_plainly(old, new)
    report = convert("auto", "-", new, back, Options(reverse=True))
    assert report.exit_code == ExitCode.OK
    assert f"{prefix!r} is put before every key again" in report.notices
    assert sha256(back) == sha256(old)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_safetensors(prefix: str, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    old, new, back = (tmp_path / f"{name}.safetensors" for name in ("old", "new", "back"))
    state_dict = load(CASE.old)["state_dict"]
    save_file({prefix + name: value for name, value in state_dict.items()}, old)
    convert_plainly(old, new)
    assert not any(name.startswith(prefix) for name in load_file(new))
    convert("auto", "-", new, back, Options(reverse=True))
    assert sorted(load_file(back)) == sorted(load_file(old))


@pytest.mark.mm
def test_the_optimizer_follows(saved: Save) -> None:
    """Where the new order is known, and torch itself loads the file strictly."""
    made = {}
    for prefix in ("module.", ""):
        old = saved(prefix, f"old{prefix}pth")
        new = old.with_name(f"new{prefix}pth")
        report = convert("auto", CASE.new_config, old, new, Options())
        assert report.exit_code == ExitCode.OK
        made[prefix] = without_stamp(new)
    assert same(made["module."], made[""])
    assert made["module."]["optimizer"]["state"]


def test_the_plan_says_so(saved: Save) -> None:
    made, report = plan("auto", "-", saved("module."), Options(build=False))
    assert made is not None
    assert made.prefix == made.to_json()["prefix"] == "module."
    assert plan_from_json(made.to_json()) == made
    assert any("'module.'" in notice for notice in report.notices)
    with pytest.raises(PlanError, match="no wrapper puts such a prefix"):
        plan_from_json({**made.to_json(), "prefix": "backbone."})


def test_inspect_sees_what_is_behind_it(saved: Save) -> None:
    found = survey(saved("_orig_mod."), load_rules())
    assert (found.prefix, found.family, found.layout) == ("_orig_mod.", "mask2former", "old")


@pytest.mark.parametrize("spoil", ["twice", "not all", "another"])
@pytest.mark.parametrize("prefix", ["module.", "model.", "architecture."])
def test_nothing_else_is_taken_off(prefix: str, spoil: str, saved: Save) -> None:
    content = load(saved(prefix))
    names = list(content["state_dict"])
    table = {
        "twice": [prefix + name for name in names],
        "not all": [names[0].removeprefix(prefix), *names[1:]],
        "another": [name.replace(prefix, "net.", 1) for name in names],
    }[spoil]
    state_dict = dict(zip(table, content["state_dict"].values(), strict=True))
    old = saved(prefix, "spoilt.pth")
    torch.save(state_dict, old)
    with pytest.raises(FamilyError):
        convert_plainly(old, old.with_name("new.pth"))
    assert not old.with_name("new.pth").exists()


def test_new_names_behind_a_prefix(saved: Save) -> None:
    new, again = saved("").with_name("new.pth"), saved("").with_name("again.pth")
    convert_plainly(saved("", bare=True), new)
    state_dict = load(new)["state_dict"]
    torch.save(wrapped(state_dict, "_orig_mod."), again)
    assert "takes off" in survey(again, load_rules()).advice
    clean, back = again.with_name("clean.pth"), again.with_name("back.pth")
    report = convert_plainly(again, clean)
    assert report.moved == 0
    assert same(load(clean)["state_dict"], state_dict)
    convert("auto", "-", clean, back, Options(reverse=True))
    assert sha256(back) == sha256(again)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "module.architecture."])
def test_no_family_behind_a_prefix(prefix: str, tmp_path: Path) -> None:
    """mmengine takes off the first of them itself, and the other if it is told to."""
    table = load_table()
    configs = table.releases["mmsegmentation-1.2.2"]
    schema = table.schema(next(layout for config, layout in configs.items() if "fcn" in config))
    plain, old = tmp_path / "plain.pth", tmp_path / "old.pth"
    plain.write_bytes(checkpoint_of(schema))
    torch.save({prefix + name: value for name, value in load(plain)["state_dict"].items()}, old)
    if prefix == "module.":
        report = convert_plainly(old, tmp_path / "new.pth")
        assert any("mmengine takes off" in notice for notice in report.notices)
    else:
        with pytest.raises(MigrateError) as caught:
            convert_plainly(old, tmp_path / "new.pth")
        assert "revise_keys" in caught.value.hint
    assert not (tmp_path / "new.pth").exists()


def test_a_model_that_calls_a_part_of_it_so() -> None:
    """`model.` is a part's own name where none of OpenMMLab's names is behind it."""
    names = ["model.embeddings.weight", "model.encoder.layers.0.attentions.0.weight"]
    assert prefix_of(names) == ""
    assert prefix_of([f"module.{name}" for name in names]) == "module."
    assert prefix_of([*names, "model.backbone.conv1.weight"]) == "model."


def test_integrity_sees_a_prefix_that_was_forgotten(saved: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    old = saved("module.")
    monkeypatch.setattr(new_file, "_prefix", lambda decision, plan: "module.")
    report = convert("auto", "-", old, old.with_name("new.pth"), Options(build=False))
    assert report.exit_code == ExitCode.INTEGRITY_FAILED
    assert not old.with_name("new.pth").exists()
