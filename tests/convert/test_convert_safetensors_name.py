"""NEW named *.safetensors is a safetensors file, and it is said what such a file cannot hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from golden_cases import CASES

from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.options import Options, Purpose
from mm_ckpt_migrate.errors import CheckpointError, DestinationError
from mm_ckpt_migrate.files.archive.format import Format
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.verdicts import ConvertReport

torch = pytest.importorskip("torch")
save_file = pytest.importorskip("safetensors.torch").save_file
TRAINED = CASES["mask2former_r18"].old
GONE = "left out are meta, message_hub, optimizer, param_schedulers, ema_state_dict"


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A state dict of an old layout, and nothing else."""
    path = tmp_path / "bare.pth"
    torch.save(torch.load(TRAINED, weights_only=False)["state_dict"], path)
    return path


@pytest.fixture
def weights(bare: Path, tmp_path: Path) -> Path:
    """The same as a safetensors file."""
    path = tmp_path / "old.safetensors"
    save_file({name: value.clone() for name, value in torch.load(bare).items()}, path)
    return path


def run(old: Path, new: Path, **more: object) -> ConvertReport:
    return convert("auto", "-", old, new, Options(build=False, **more))  # type: ignore[arg-type]


def opened(path: Path) -> tuple[Format, dict[str, str]]:
    with Source(path) as source:
        checkpoint = open_checkpoint(source)
        return checkpoint.format, dict(getattr(checkpoint.container, "metadata", None) or {})


@pytest.mark.parametrize("format_", [None, Format.SAFETENSORS])
@pytest.mark.parametrize("name", ["new.safetensors", "NEW.SAFETENSORS", "new.SafeTensors"])
def test_the_name_is_the_format(name: str, format_: Format | None, tmp_path: Path) -> None:
    new = tmp_path / name
    report = run(TRAINED, new, format=format_)
    assert opened(new)[0] is Format.SAFETENSORS
    said = [notice for notice in report.notices if GONE in notice]
    assert len(said) == 1
    assert said[0].endswith("; the config goes along as it was, for the old release")
    assert not [n for n in report.notices if "keep their state" in n or "log buffers" in n]
    assert "optimizer" in json.loads(opened(new)[1]["mm_ckpt_migrate"])["dropped"]


def test_a_bare_state_dict_loses_nothing(bare: Path, tmp_path: Path) -> None:
    report = run(bare, tmp_path / "new.safetensors")
    assert not [notice for notice in report.notices if "left out" in notice]


@pytest.mark.parametrize("format_", [Format.ZIP, Format.LEGACY])
def test_another_format_contradicts_the_name(format_: Format, tmp_path: Path) -> None:
    with pytest.raises(DestinationError, match="by its name it is no"):
        run(TRAINED, tmp_path / "new.safetensors", format=format_)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "format_"), [("new.safetensors", None), ("new.pth", Format.SAFETENSORS)])
def test_no_training_resumes_from_it(name: str, format_: Format | None, tmp_path: Path) -> None:
    with pytest.raises(DestinationError, match="no training can resume from it"):
        run(TRAINED, tmp_path / name, format=format_, purpose=Purpose.RESUME)
    assert not list(tmp_path.iterdir())


def test_nor_from_what_holds_no_training(bare: Path, weights: Path, tmp_path: Path) -> None:
    """A state dict alone, and a safetensors file, were converted for it without a word."""
    for old in (bare, weights):
        with pytest.raises(CheckpointError, match="it holds no optimizer"):
            run(old, tmp_path / "new.pth", purpose=Purpose.RESUME)
    assert not (tmp_path / "new.pth").exists()


def test_a_name_that_says_something_else(weights: Path, tmp_path: Path) -> None:
    report = run(weights, tmp_path / "new.pth")
    assert opened(tmp_path / "new.pth")[0] is Format.SAFETENSORS
    assert [notice for notice in report.notices if "whatever its name says" in notice]
