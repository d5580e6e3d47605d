"""Loading files into a real model: what is right passes, and each thing wrong fails."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mm_ckpt_migrate.releases.allowed.request import make_request
from mm_ckpt_migrate.releases.current.process import LoadOutcome, TargetProcess
from mm_ckpt_migrate.schema import TargetModel

pytestmark = pytest.mark.mm

BIAS = "decode_head.conv_seg.bias"
TRACKED = "backbone.stem.1.num_batches_tracked"


@pytest.fixture(scope="module")
def process(small_config: dict[str, Any]) -> Iterator[TargetProcess]:
    """One child for all: no file, right or wrong, may leave a trace."""
    with TargetProcess(make_request(small_config, "mmseg")) as child:
        yield child


@pytest.fixture
def state(process: TargetProcess) -> Any:
    """A state dict that fits."""
    import torch

    return fitting(process.schema(), torch)


def fitting(model: TargetModel, torch: Any) -> Any:
    from collections import OrderedDict

    tensors = OrderedDict(
        (t.name, torch.zeros(t.shape, dtype=getattr(torch, t.dtype))) for t in model.schema.tensors
    )
    assert model.schema.modules is not None
    versions = {path: {"version": number} for path, number in model.schema.modules.items()}
    tensors._metadata = versions  # type: ignore[attr-defined]
    return tensors


@pytest.fixture
def load(process: TargetProcess, tmp_path: Path) -> Callable[..., LoadOutcome]:
    def run(root: object, **options: Any) -> LoadOutcome:
        import torch

        torch.save(root, tmp_path / "file.pth", **options)
        return process.load(tmp_path / "file.pth")

    return run


# --- what is right --------------------------------------------------------------------------------


def test_a_fitting_file_loads(state: Any, load: Callable[..., LoadOutcome]) -> None:
    import torch

    outcome = load({"state_dict": state, "meta": {"epoch": 1}})
    assert outcome == LoadOutcome(
        ok=True, missing=(), unexpected=(), errors=(), refused=None, torch=torch.__version__
    )


def test_a_bare_state_dict_loads(state: Any, load: Callable[..., LoadOutcome]) -> None:
    assert load(state).ok


def test_the_legacy_format_loads(state: Any, load: Callable[..., LoadOutcome]) -> None:
    assert load(state, _use_new_zipfile_serialization=False).ok


def test_an_unlinked_file_loads_by_descriptor(state: Any, process: TargetProcess, tmp_path: Path) -> None:
    import torch

    path = tmp_path / "file.pth"
    torch.save(state, path)
    with path.open("rb") as file:
        path.unlink()
        assert process.load(file.fileno()).ok


def test_a_relative_path_is_ours(
    state: Any, process: TargetProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    torch.save(state, tmp_path / "file.pth")
    monkeypatch.chdir(tmp_path)
    assert process.load("file.pth").ok


def test_a_training_checkpoint_loads(state: Any, load: Callable[..., LoadOutcome]) -> None:
    import numpy as np
    from mmengine.logging import MessageHub

    hub = MessageHub.get_instance("test_target_load")
    hub.update_scalar("train/loss", 1.5)
    hub.update_scalar("train/lr", np.float32(0.1))
    hub.update_info("iter", np.int64(3))
    assert load({"state_dict": state, "message_hub": hub.state_dict()}).ok


# --- what is wrong --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [BIAS, TRACKED])
def test_a_missing_key_fails(state: Any, load: Callable[..., LoadOutcome], name: str) -> None:
    del state[name]
    outcome = load(state)
    assert (outcome.ok, outcome.missing, outcome.unexpected) == (False, (name,), ())
    assert any(name in error for error in outcome.errors)


def test_a_key_that_torch_forgives_without_metadata_fails(
    state: Any, load: Callable[..., LoadOutcome]
) -> None:
    """Without versions torch takes the file for one from before `num_batches_tracked`."""
    del state[TRACKED], state._metadata
    outcome = load(state)
    assert (outcome.ok, outcome.missing, outcome.errors) == (False, (TRACKED,), ())


def test_an_unexpected_key_fails(state: Any, load: Callable[..., LoadOutcome]) -> None:
    state["backbone.extra"] = state[BIAS]
    outcome = load(state)
    assert (outcome.ok, outcome.missing, outcome.unexpected) == (False, (), ("backbone.extra",))
    assert any("backbone.extra" in error for error in outcome.errors)


def test_a_wrong_shape_fails(state: Any, load: Callable[..., LoadOutcome]) -> None:
    state[BIAS] = state[BIAS][:2].clone()
    outcome = load(state)
    assert (outcome.ok, outcome.missing, outcome.unexpected) == (False, (), ())
    assert any("size mismatch" in e and BIAS in e for e in outcome.errors)


def test_a_wrong_dtype_fails(state: Any, load: Callable[..., LoadOutcome]) -> None:
    state[BIAS] = state[BIAS].double()
    outcome = load(state)
    expected = f"dtype mismatch for {BIAS}: float64 in the file, float32 in the model"
    assert (outcome.ok, outcome.errors) == (False, (expected,))


def test_half_precision_is_widened_without_loss(state: Any, load: Callable[..., LoadOutcome]) -> None:
    state[BIAS] = state[BIAS].half()
    assert load(state).ok


def test_a_value_that_is_no_tensor_fails(state: Any, load: Callable[..., LoadOutcome]) -> None:
    state[BIAS] = [0.0] * 4
    outcome = load(state)
    assert not outcome.ok
    assert any(BIAS in error for error in outcome.errors)


def test_a_wrong_file_leaves_no_trace(state: Any, load: Callable[..., LoadOutcome]) -> None:
    halves = {name: tensor.half() for name, tensor in state.items()}
    assert not load(halves).ok
    assert load(state).ok


def test_a_foreign_global_is_refused_by_name(
    state: Any, load: Callable[..., LoadOutcome], tmp_path: Path
) -> None:
    class Harm:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(tmp_path / "harm"),)

    outcome = load({"state_dict": state, "meta": Harm()})
    assert not outcome.ok
    assert outcome.refused is not None
    assert outcome.refused.startswith("cannot be loaded under weights_only: ")
    assert "posix" in outcome.refused
    assert not (tmp_path / "harm").exists()


def test_getattr_reaches_nothing_but_statistics(state: Any, load: Callable[..., LoadOutcome]) -> None:
    from mmengine.logging import HistoryBuffer

    class Harm:
        def __reduce__(self) -> tuple[object, ...]:
            return getattr, (HistoryBuffer, "__init__")

    outcome = load({"state_dict": state, "meta": Harm()})
    assert not outcome.ok
    assert outcome.refused is not None
    assert "builtins.getattr" in outcome.refused


@pytest.mark.parametrize("root", [[1, 2], 3, {"state_dict": {}}])
def test_what_holds_no_state_dict_fails(root: object, load: Callable[..., LoadOutcome]) -> None:
    assert not load(root).ok


@pytest.mark.parametrize("keep", [0, 10, 5000])
def test_a_truncated_file_fails(state: Any, process: TargetProcess, tmp_path: Path, keep: int) -> None:
    import torch

    path = tmp_path / "file.pth"
    torch.save(state, path)
    os.truncate(path, keep)
    assert not process.load(path).ok


def test_an_absent_file_fails(process: TargetProcess, tmp_path: Path) -> None:
    outcome = process.load(tmp_path / "nothing.pth")
    assert not outcome.ok
    assert any("No such file" in error for error in outcome.errors)


# --- safetensors ----------------------------------------------------------------------------------


def write_safetensors(path: Path, state: Any) -> None:
    import numpy as np

    names = {"float32": "F32", "float64": "F64", "int64": "I64"}
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = bytearray()
    for name, tensor in state.items():
        data = np.ascontiguousarray(tensor.numpy()).tobytes()
        header[name] = {
            "dtype": names[str(tensor.dtype).removeprefix("torch.")],
            "shape": list(tensor.shape),
            "data_offsets": [len(body), len(body) + len(data)],
        }
        body += data
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def test_a_fitting_safetensors_file_loads(state: Any, process: TargetProcess, tmp_path: Path) -> None:
    write_safetensors(tmp_path / "file.safetensors", state)
    assert process.load(tmp_path / "file.safetensors", "safetensors").ok


def test_a_wrong_safetensors_file_fails(state: Any, process: TargetProcess, tmp_path: Path) -> None:
    state[BIAS] = state[BIAS].double()
    del state[TRACKED]
    write_safetensors(tmp_path / "file.safetensors", state)
    outcome = process.load(tmp_path / "file.safetensors", "safetensors")
    assert (outcome.ok, outcome.missing) == (False, (TRACKED,))
    assert any("dtype mismatch" in error for error in outcome.errors)


def test_a_truncated_safetensors_file_fails(state: Any, process: TargetProcess, tmp_path: Path) -> None:
    write_safetensors(tmp_path / "file.safetensors", state)
    os.truncate(tmp_path / "file.safetensors", 20_000)
    assert not process.load(tmp_path / "file.safetensors", "safetensors").ok


def test_m19_values_that_no_training_should_leave_are_told(
    state: Any, process: TargetProcess, tmp_path: Path
) -> None:
    """Of the file, whoever made it; it loads all the same."""
    import torch

    variance, weight = next(n for n in state if n.endswith("running_var")), next(iter(state))
    state[weight].view(-1)[:2] = torch.tensor([float("nan"), float("-inf")])
    state[variance][0] = -1.0
    torch.save(state, tmp_path / "odd.pth")
    outcome = process.load(tmp_path / "odd.pth", values=True)
    assert outcome.ok
    total = state[weight].numel()
    assert set(outcome.odd) == {
        f"{weight}: 2 of {total:,} values are NaN or infinite",
        f"{variance}: a variance is below zero",
    }
