from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from golden_cases import CASES
from support.streams import mapping, plain, stream, tensor
from support.zips import torch_zip
from typer.testing import CliRunner

from mm_ckpt_migrate.cli.main import app

ROOT = Path(__file__).parents[2]


class Result:
    """What a command gave."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def cli() -> Callable[..., Result]:
    """Run a command in this process."""

    def run(*arguments: object) -> Result:
        done = CliRunner().invoke(app, list(map(str, arguments)))
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Result(done.exit_code, done.stdout, done.stderr)

    return run


@pytest.fixture
def process() -> Callable[..., Result]:
    """Run a command in a process of its own; text is not decoded strictly."""

    def run(*arguments: object, **options: Any) -> Result:
        env = os.environ | options.pop("env", {})
        done = subprocess.run(
            [sys.executable, "-m", "mm_ckpt_migrate", *map(os.fspath, arguments)],
            capture_output=True,
            timeout=120,
            cwd=ROOT,
            env=env,
            check=False,
            **options,
        )
        out, err = (text.decode("utf-8", "surrogateescape") for text in (done.stdout, done.stderr))
        return Result(done.returncode, out, err)

    return run


DECODER = "decode_head.transformer_decoder.layers.0"
TOY_KEYS = (
    "decode_head.query_embed.weight",
    "decode_head.pixel_decoder.mask_feature.weight",
    f"{DECODER}.attentions.0.attn.w",
    f"{DECODER}.attentions.1.attn.w",
    f"{DECODER}.ffns.0.w",
)


@pytest.fixture
def toy(tmp_path: Path) -> Callable[..., Path]:
    """The smallest file that is an old MaskFormer by its keys; every key has the same tensor."""

    def make(*more: str, meta: object = None, name: str = "old.pth", **sections: bytes) -> Path:
        entries = {"state_dict": mapping(dict.fromkeys([*TOY_KEYS, *more], tensor()))}
        if meta is not None:
            entries = {"meta": plain(meta)} | entries
        path = tmp_path / name
        path.write_bytes(torch_zip(stream(mapping(entries | sections))))
        return path

    return make


@pytest.fixture(scope="session")
def golden() -> dict[str, Any]:
    return CASES
