"""`--fold` where it cannot be: one sentence, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fold_case import BIAS, FOLD, POSITIONS, STAMP, VIT, check_weights
from golden_cases import CASES, edited, load, run, sha256

from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.options import Options, Purpose
from mm_ckpt_migrate.convert.write.folded import FoldError, check_fold
from mm_ckpt_migrate.errors import ExitCode, FamilyError, MigrateError
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.mapping.rules.library import family_named, load_rules

pytestmark = [pytest.mark.mm, pytest.mark.filterwarnings("ignore")]

Refusal = Callable[..., MigrateError]


def at(name: str, change: Callable[[Any], Any]) -> Callable[[Any], None]:
    def changed(content: Any) -> None:
        content["state_dict"][name] = change(content["state_dict"][name])

    return changed


def both(change: Callable[[Any], Any]) -> Callable[[Any], None]:
    def changed(content: Any) -> None:
        for name in (BIAS, POSITIONS):
            at(name, change)(content)

    return changed


def with_norm(content: Any) -> None:
    content["state_dict"]["backbone.patch_embed.norm.weight"] = content["state_dict"][BIAS].clone()


def tied(content: Any) -> None:
    content["state_dict"]["backbone.other"] = content["state_dict"][POSITIONS][0]


def asking(content: Any) -> None:
    text = content["meta"]["cfg"]
    content["meta"]["cfg"] = text.replace("with_cls_token=True", "patch_bias=True")
    assert content["meta"]["cfg"] != text


REFUSED = {
    "half": (both(lambda t: t.half()), f"{BIAS} is float16, and only float32 and float64"),
    "bfloat16": (both(lambda t: t.bfloat16()), "is bfloat16, and only"),
    "one half": (at(POSITIONS, lambda t: t.half()), f"{POSITIONS} is float16"),
    "other type": (at(BIAS, lambda t: t.double()), "differ in their type"),
    "wide": (at(BIAS, lambda t: t.repeat(2)), "does not fit"),
    "scalar": (at(BIAS, lambda t: t[0]), "does not fit"),
    "matrix": (at(BIAS, lambda t: t[None]), "does not fit"),
    "empty": (both(lambda t: t[..., :0].clone()), "does not fit"),
    "flat": (at(POSITIONS, lambda t: t[0].clone()), "does not fit"),
    "two": (at(POSITIONS, lambda t: t.repeat(2, 1, 1)), "does not fit"),
    "class token alone": (at(POSITIONS, lambda t: t[:, :1].clone()), "does not fit"),
    "part": (at(POSITIONS, lambda t: t[:, :-1]), "is not its whole storage"),
    "later part": (at(POSITIONS, lambda t: t[:, 1:]), "is not its whole storage"),
    "columns first": (at(POSITIONS, lambda t: t.mT.contiguous().mT), "is not its whole storage"),
    "expanded": (at(POSITIONS, lambda t: t[:, :1].clone().expand(1, 65, -1)), "its whole storage"),
    "odd steps": (at(BIAS, lambda t: t.repeat_interleave(2)[::2]), "do not follow each other"),
    "tied": (tied, f"{POSITIONS} shares its storage with backbone.other"),
    "norm": (with_norm, "it has backbone.patch_embed.norm.**, which comes after"),
    "config": (asking, f"the config inside says patch_bias=True: its model has {BIAS}"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_folded(name: str, refused: Refusal) -> None:
    change, said = REFUSED[name]
    error = refused(VIT, change, **FOLD)
    assert isinstance(error, FoldError)
    assert said in error.message
    assert (error.exit_code, error.hint) == (ExitCode.USAGE, "Leave --fold out.")


@pytest.mark.parametrize("name", [BIAS, POSITIONS])
def test_a_tensor_that_is_not_there(name: str, refused: Refusal, tmp_path: Path) -> None:
    """Without them it is no old ViT, by its marks; and the fold itself looks as well."""

    def change(content: Any) -> None:
        del content["state_dict"][name]

    assert isinstance(refused(VIT, change, "vit", **FOLD), FamilyError)
    fold = family_named(load_rules().families, "vit").fold
    assert fold is not None
    with Source(tmp_path / "old.pth") as source, pytest.raises(FoldError, match=f"no {name}"):
        check_fold(open_checkpoint(source), fold.fold)


@pytest.mark.parametrize("purpose", [None, Purpose.RESUME])
def test_only_for_inference(purpose: Purpose | None, tmp_path: Path) -> None:
    with pytest.raises(FoldError, match="a training cannot go on") as caught:
        run(VIT, tmp_path / "new.pth", build=False, fold=True, purpose=purpose)
    assert "--for inference" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_families_without_a_fold(tmp_path: Path) -> None:
    for case in (CASES["maskformer_r18"], CASES["mask2former_swin"]):
        with pytest.raises(FoldError, match=f"the rules of {case.family} name nothing"):
            run(case, tmp_path / "new.pth", build=False, **FOLD)
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_has_the_bias(tmp_path: Path) -> None:
    with pytest.raises(FoldError, match="the model of the config has"):
        run(VIT, tmp_path / "new.pth", **FOLD)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_was_migrated_before(tmp_path: Path) -> None:
    """Its config was made to ask for the bias; without one it can still be folded."""
    run(VIT, tmp_path / "first.pth", build=False)
    options = Options(build=False, **FOLD)
    with pytest.raises(FoldError, match="the config inside says patch_bias=True"):
        convert("auto", "-", tmp_path / "first.pth", tmp_path / "new.pth", options)

    plain = edited(VIT, tmp_path / "old.pth", lambda content: content["state_dict"])
    convert("auto", "-", plain, tmp_path / "bare.pth", Options(build=False))
    convert("auto", "-", tmp_path / "bare.pth", tmp_path / "new.pth", options)
    check_weights(load(tmp_path / "new.pth")["state_dict"], load(plain))
    assert load(tmp_path / "new.pth")["meta"][STAMP]["origin_sha256"] == sha256(plain)
