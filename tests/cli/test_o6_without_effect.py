"""O6: an option that would have no effect is a usage error, and names itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mm_ckpt_migrate.errors import ExitCode

Cli = Callable[..., Any]
CONVERT = "convert auto - old.pth new.pth"
SAFE = "convert auto - old.pth new.safetensors"
BATCH = "batch zoo results"
LINES = [
    (f"{CONVERT} --reverse --for resume", "--for"),
    (f"{CONVERT} --reverse --for inference", "--for"),
    (f"{CONVERT} --reverse --force-family", "--force-family"),
    (f"{CONVERT} --reverse --keep-as-is", "--keep-as-is"),
    (f"{CONVERT} --reverse --rules r.yaml", "--rules"),
    (f"{CONVERT} --reverse --no-cache", "--no-cache"),
    (f"{CONVERT} --reverse --allow-import x", "--allow-import"),
    (f"{CONVERT} --reverse --config-out c.py", "--config-out"),
    (f"{CONVERT} --no-build --no-cache", "--no-cache"),
    (f"{CONVERT} --no-build --allow-import x", "--allow-import"),
    (f"{CONVERT} --no-build --config-out c.py", "--config-out"),
    (f"{CONVERT} --no-build --allow-unconfined", "--allow-unconfined"),
    (f"{CONVERT} --reverse --allow-unconfined", "--allow-unconfined"),
    ("plan auto - old.pth --no-build --allow-unconfined", "--allow-unconfined"),
    (f"{BATCH} --no-build --allow-unconfined", "--allow-unconfined"),
    (f"{CONVERT} --weights raw", "--weights"),
    (f"{CONVERT} --format safetensors --keep-as-is", "--keep-as-is"),
    (f"{CONVERT} --format safetensors --for resume", "--for resume"),
    (f"{SAFE} --keep-as-is", "--keep-as-is"),
    (f"{SAFE} --for resume", "--for resume"),
    (f"{SAFE} --format zip", "--format zip"),
    ("plan auto - old.pth --no-build --no-cache", "--no-cache"),
    ("plan auto - old.pth --no-build --allow-import x", "--allow-import"),
    ("plan auto - old.pth --no-build --force", "--force"),
    ("verify new.pth --record-metric m.json", "--record-metric"),
    ("verify new.pth --workers 3", "--workers"),
    ("verify new.pth --tolerance 1", "--tolerance"),
    ("verify new.pth --launcher pytorch", "--launcher"),
    ("verify new.pth --force", "--force"),
    ("verify new.pth --eval --force", "--force"),
    ("verify new.pth --eval --against zoo --expect 40", "--expect"),
    ("verify new.pth --source s --legacy none --legacy-python p", "--legacy-python"),
    ("verify new.pth --source s --legacy none --record r.npz", "--record"),
    (f"{BATCH} --data-root d", "--data-root"),
    (f"{BATCH} --verify --data-root d", "--data-root"),
    (f"{BATCH} --verify --device cpu", "--device"),
    (f"{BATCH} --legacy-python p", "--legacy-python"),
    (f"{BATCH} --num-gpus 1", "--num-gpus"),
    (f"{BATCH} --verify --num-gpus 1", "--num-gpus"),
    (f"{BATCH} --ray-address auto", "--ray-address"),
    (f"{BATCH} --no-build --allow-import x", "--allow-import"),
    (f"{BATCH} --publish --for resume", "--for"),
    (f"{BATCH} --state s", "--state"),
    ("derive old.pth cfg.py --force", "--force"),
    ("migrate-config old.py --check --force", "--force"),
    ("migrate-config old.py new.py --check", "--check"),
    ("migrate-config old.py --diff --force", "--force"),
]


@pytest.mark.parametrize(("line", "option"), LINES, ids=[line for line, _ in LINES])
def test_o6(line: str, option: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = cli(*line.split())
    assert (done.code, done.out) == (ExitCode.USAGE, "")
    assert option in done.err
    told = cli(*line.split(), "--json")
    assert told.code == told.json["exit_code"] == ExitCode.USAGE
    assert option in told.json["error"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "line",
    [
        "convert auto - OLD NEW --reverse --no-build --force --keep-opaque --no-crc",
        "convert auto - OLD NEW --reverse --format zip --plan p.json",
        "convert auto - OLD NEW --no-build --force-family --keep-as-is --force",
        "convert auto - OLD NEW.safetensors --no-build --format safetensors --for inference",
        "plan auto - OLD --no-build --plan p.json --force",
        "verify OLD --legacy none --require integrity --budget 0",
        "verify OLD --source S --record r.npz --force",
        "batch OLD results --eval --device cpu --data-root d --legacy-python p",
        "migrate-config OLD --check --diff",
    ],
)
def test_what_has_an_effect_is_no_usage_error(
    line: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OLD is not there, which is found after the options were judged."""
    monkeypatch.chdir(tmp_path)
    done = cli(*line.split())
    assert done.code not in (ExitCode.OK, ExitCode.USAGE, ExitCode.INTERNAL)
    assert "Usage" not in done.err
