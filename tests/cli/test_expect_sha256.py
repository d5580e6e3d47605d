"""`convert --expect-sha256`: what a format without checksums cannot tell, whoever published can."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mm_ckpt_migrate.errors import ExitCode


def convert(cli: Callable[..., Any], old: Path, *more: str) -> Any:
    return cli("convert", "1", "-", old, old.with_name("new.pth"), "--no-build", *more)


def test_another_digest_is_refused_and_nothing_is_written(
    cli: Callable[..., Any], toy: Callable[..., Path]
) -> None:
    old = toy()
    done = convert(cli, old, "--expect-sha256", "0" * 64)
    assert done.code == ExitCode.BAD_CHECKPOINT
    assert "its SHA-256 is" in done.err
    assert [path.name for path in old.parent.iterdir()] == ["old.pth"]


@pytest.mark.parametrize("length", [64, 8])
def test_the_digest_or_its_start_is_taken(
    length: int, cli: Callable[..., Any], toy: Callable[..., Path]
) -> None:
    old = toy()
    digest = hashlib.sha256(old.read_bytes()).hexdigest()
    assert convert(cli, old, "--expect-sha256", digest[:length]).code == ExitCode.OK


@pytest.mark.parametrize("said", ["0" * 7, "0" * 65, "xyzxyzxyz", ""])
def test_what_is_no_digest_is_a_usage_error(
    said: str, cli: Callable[..., Any], toy: Callable[..., Path]
) -> None:
    assert convert(cli, toy(), "--expect-sha256", said).code == ExitCode.USAGE
