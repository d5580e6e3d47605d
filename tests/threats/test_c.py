"""C: configs inside checkpoints and beside them; each is text, and the audit hook watches."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hostile import module
from program import Done, convert, run
from support.files import write
from support.streams import mapping, text
from toys import toy

from mm_ckpt_migrate.configs.read.config import read_config, read_config_text
from mm_ckpt_migrate.errors import ConfigError, ExitCode

HOSTILE: dict[str, str] = module("configs/test_config_hostile.py").HOSTILE
BUDGETS = module("configs/test_config_budgets.py")
# A comment beside an annotation or a name is no more than that.
TEXT_ALONE = {"annotation", "custom_imports", "type_path"}


def clean(done: Done, folder: Path) -> Done:
    assert "Traceback" not in done.err
    assert not (folder / "ran").exists()
    return done


@pytest.mark.parametrize("case", HOSTILE)
def test_c1_to_c4_a_config_file(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    old = write(tmp_path, HOSTILE[case].encode(), "old.py")
    done = clean(run("migrate-config", old, tmp_path / "new.py"), tmp_path)
    assert done.code in (ExitCode.OK, ExitCode.BAD_TARGET)
    if case not in TEXT_ALONE:
        assert done.code == ExitCode.BAD_TARGET
        with pytest.raises(ConfigError) as caught:
            read_config(old)
        assert caught.value.line is not None or "{{" in HOSTILE[case] or "_base_" in HOSTILE[case]


PLACES = {
    "meta.cfg": lambda cfg: {"meta": mapping({"cfg": cfg})},
    "meta.config": lambda cfg: {"meta": mapping({"config": cfg})},
    "message_hub": lambda cfg: {"message_hub": mapping({"runtime_info": mapping({"cfg": cfg})})},
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("case", HOSTILE)
def test_c8_a_config_in_a_checkpoint(
    case: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    old = write(tmp_path, toy(**PLACES[place](text(HOSTILE[case]))))
    for cfg in ("-", "embedded"):
        clean(convert(old, "--force", cfg=cfg), tmp_path)
    clean(run("inspect", old), tmp_path)
    assert set(os.listdir(tmp_path)) <= {"old.pth", "new.pth"}


@pytest.mark.parametrize("case", sorted(set(HOSTILE) - TEXT_ALONE))
def test_c8_asked_for_as_the_target_it_is_refused(case: str, tmp_path: Path) -> None:
    old = write(tmp_path, toy(meta=mapping({"cfg": text(HOSTILE[case])})))
    done = clean(run("convert", "auto", "embedded", old, tmp_path / "new.pth"), tmp_path)
    assert done.code == ExitCode.BAD_TARGET
    assert os.listdir(tmp_path) == ["old.pth"]


BOMBS = [
    "'{:>1000000000}'.format(1)",
    "'{:>{}}'.format(1, 10**9)",
    "format(1, '>1000000000')",
    "'a'.ljust(10**9)",
    "'a'.join(['b'] * 10**8)",
    "str(9**9**9)",
    "1 << 10**9",
    "10**10**10",
    "bytes(10**10)",
    "bytearray(10**10)",
    "'%*d' % (10**9, 1)",
    "list(range(10**9))",
    "max(range(10**12))",
    "[0] * (1 << 62)",
    "{**{i: 0 for i in range(10**9)}}",
]


@pytest.mark.parametrize("source", BOMBS)
def test_c5_more_that_asks_for_gigabytes(source: str) -> None:
    begun = time.process_time()
    with pytest.raises(ConfigError):
        read_config_text(f"x = {source}", "dump")
    assert time.process_time() - begun < 5


@pytest.mark.parametrize("source", BUDGETS.BOMBS[::4])
def test_c5_c6_in_a_checkpoint(source: str, tmp_path: Path) -> None:
    old = write(tmp_path, toy(meta=mapping({"cfg": text(f"x = {source}")})))
    begun = time.process_time()
    assert convert(old).code == ExitCode.OK  # it is not asked for, and stays as it was
    assert time.process_time() - begun < 10


def test_c3_no_base_is_looked_for_outside_of_a_checkpoint(tmp_path: Path) -> None:
    """The text of a dump has no folder, so that `_base_` leads nowhere."""
    write(tmp_path, b"model = dict(type='X')", "base.py")
    for base in (f"{tmp_path}/base.py", "base.py", "/etc/passwd", "mmdet::a.py", "http://x/y.py"):
        with pytest.raises(ConfigError):
            read_config_text(f"_base_ = {base!r}", "dump")


SECRET = "MM_CKPT_MIGRATE_SECRET"


@pytest.mark.parametrize("spelling", ["'{{$S:a}}'", "'{{ $S }}'", "{{$S:1}}", "'{{{{$S}}}}'"])
def test_c7_the_environment_does_not_come_out(
    spelling: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECRET, "hunter2")
    source = f"x = {spelling.replace('S', SECRET)}\n"
    old = write(tmp_path, source.encode(), "old.py")
    done = run("migrate-config", old, tmp_path / "new.py")
    assert done.code == ExitCode.BAD_TARGET
    assert "hunter2" not in done.out + done.err
    convert(write(tmp_path, toy(meta=mapping({"cfg": text(source)}))))
    assert b"hunter2" not in (tmp_path / "new.pth").read_bytes()


def test_c9_ten_thousand_bases(tmp_path: Path) -> None:
    write(tmp_path, b"", "a.py")
    child = write(tmp_path, f"_base_ = {['a.py'] * 10_000!r}".encode(), "child.py")
    begun = time.process_time()
    with pytest.raises(ConfigError, match="more than 200 base files"):
        read_config(child)
    assert time.process_time() - begun < 10
