"""No escape code from a file reaches the terminal, and no file's name breaks a command."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.streams import mapping, name, plain, stream, tensor
from support.zips import torch_zip

from mm_ckpt_migrate.convert.options import Options
from mm_ckpt_migrate.convert.run import plan_migration
from mm_ckpt_migrate.convert.stamp import make_stamp
from mm_ckpt_migrate.errors import ExitCode
from mm_ckpt_migrate.files.archive.source import Source

Cli = Callable[..., Any]
Toy = Callable[..., Path]
ESC = "\x1b[2J\x9b31m\x07\r"
BIDI = "\u202e\u2066"
ORDER = "operation_order=('self_attn','norm','cross_attn','norm','ffn','norm')"


def clean(text: str) -> bool:
    return all(character.isprintable() or character == "\n" for character in text)


def assert_clean(done: Any) -> None:
    assert clean(done.out), repr(done.out)
    assert clean(done.err), repr(done.err)
    assert "Traceback" not in done.err


@pytest.fixture(params=["inspect", "plan", "convert", "force", "reverse"])
def every_command(request: pytest.FixtureRequest, cli: Cli) -> Callable[[Path], Any]:
    """Run a command on a file, as text and as JSON; nothing may get through."""

    def run(path: Path) -> Any:
        new = path.with_name("new.pth")
        arguments = {
            "inspect": ["inspect", path],
            "plan": ["plan", "auto", "-", path, "--no-build"],
            "convert": ["convert", "auto", "-", path, new, "--no-build"],
            "force": ["convert", "2", "-", path, new, "--no-build", "--force-family"],
            "reverse": ["convert", "auto", "-", path, new, "--reverse"],
        }[request.param]
        for option in ([], ["--json"]):
            new.unlink(missing_ok=True)
            done = cli(*arguments, *option)
            assert_clean(done)
            if option:
                json.loads(done.out)
        return done

    return run


@pytest.mark.parametrize("text", [ESC, BIDI, "\n", "\ud800"])
def test_in_a_key(text: str, toy: Toy, every_command: Callable[[Path], Any]) -> None:
    every_command(toy(f"backbone.{text}.w"))


@pytest.mark.parametrize("field", ["tool", "plan", "source_sha256"])
def test_in_a_stamp(field: str, toy: Toy, every_command: Callable[[Path], Any]) -> None:
    every_command(toy(meta={"mm_ckpt_migrate": {"tool": "x", field: ESC}}))


@pytest.mark.parametrize(
    "text",
    [
        f"x = {ESC!r} + y",
        f"{ESC!r}()",
        f"{ESC}",
        "model = dict(decode_head=dict(transformer_decoder=dict(transformerlayers=["
        f"dict({ORDER}), dict(operation_order=({ESC!r},))])))",
    ],
)
def test_in_the_config(text: str, toy: Toy, every_command: Callable[[Path], Any]) -> None:
    path = toy(
        "decode_head.transformer_decoder.layers.1.attentions.0.attn.w",
        "decode_head.transformer_decoder.layers.1.attentions.1.attn.w",
        meta={"cfg": text, "mmengine_version": ESC, ESC: ESC},
    )
    done = every_command(path)
    if "operation_order" in text and done.code == 12:
        assert "\\x1b[2J" in str(done.json["verdicts"][2]["details"])


@pytest.mark.parametrize("module", ["evil\x1b[2J\x9b31m.system", "os.\x1b]0;x\x07"])
def test_in_the_name_of_a_class(module: str, toy: Toy, every_command: Callable[[Path], Any]) -> None:
    every_command(toy(hook=name(module)))


def test_in_a_section(toy: Toy, every_command: Callable[[Path], Any]) -> None:
    every_command(toy(**{f"more{ESC}": plain(ESC)}))


def test_in_safetensors(tmp_path: Path, every_command: Callable[[Path], Any]) -> None:
    header = json.dumps(
        {
            "__metadata__": {"cfg": ESC, "mm_ckpt_migrate": json.dumps({"tool": ESC})},
            f"a.{ESC}": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
        }
    ).encode()
    path = tmp_path / "old.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    every_command(path)


@pytest.mark.parametrize(
    ("configs", "added", "code"),
    [
        ({"meta.cfg": ESC}, (), ExitCode.OK),
        ({f"meta.cfg{ESC}": ESC, "meta.cfg": ESC}, (), ExitCode.BAD_RULES),
        ({}, (f"meta.{ESC}",), ExitCode.BAD_RULES),
    ],
)
def test_in_a_stamp_that_leads_back(
    configs: dict[str, str], added: tuple[str, ...], code: ExitCode, toy: Toy, cli: Cli, tmp_path: Path
) -> None:
    """A stamp that reads well and holds escape codes wherever it can."""
    with Source(toy()) as source:
        table, _ = plan_migration(source, "auto", "-", Options(build=False))
    assert table is not None
    table = replace(table, family=f"f{ESC}", released_from=ESC, rules=(ESC,) * len(table.rules))
    stamp = make_stamp(table, None, (f"opt{ESC}",), configs, added, wrapped=False)
    keys = mapping(dict.fromkeys(table.targets.values(), tensor()))
    meta = {"mm_ckpt_migrate": stamp}
    (tmp_path / "new.pth").write_bytes(torch_zip(stream(mapping({"meta": plain(meta), "state_dict": keys}))))
    done = cli("convert", "auto", "-", tmp_path / "new.pth", tmp_path / "back.pth", "--reverse")
    assert done.code == code
    assert_clean(done)
    assert_clean(cli("inspect", tmp_path / "new.pth"))
    (tmp_path / "plan.json").write_text(json.dumps(table.to_json()))
    done = cli(
        "convert",
        "auto",
        "-",
        tmp_path / "new.pth",
        tmp_path / "b2.pth",
        "--reverse",
        "--plan",
        tmp_path / "plan.json",
    )
    assert_clean(done)


# --- names of files -----------------------------------------------------------------------------


@pytest.mark.parametrize("file", [b"\xff.pth", b"a\x1b[2Jb.pth", b"-rf.pth", b"a\nb.pth"])
def test_odd_file_names_work(file: bytes, toy: Toy, process: Cli, tmp_path: Path) -> None:
    """Given with `./`, as the shell would; nothing but the name's own text is shown."""
    folder = os.fsencode(tmp_path)
    old, new = folder + b"/" + file, folder + b"/new-" + file
    os.rename(toy(), old)
    for arguments in (
        [b"inspect", old],
        [b"convert", b"auto", b"-", old, new, b"--no-build"],
        [b"convert", b"auto", b"-", old, new, b"--no-build"],
    ):
        done = process(*arguments, env={"LC_ALL": "C.UTF-8"})
        assert_clean(done)
    assert done.code == 7  # the second conversion finds the first one's file
    assert os.path.exists(new)


@pytest.mark.parametrize("command", ["convert", "plan", "inspect"])
@pytest.mark.parametrize("file", ["x" * 300, "", "missing/old.pth", ".", "/dev/null", "a\x1bb"])
def test_odd_sources(command: str, file: str, cli: Cli, tmp_path: Path) -> None:
    new = tmp_path / "new.pth"
    arguments = {
        "convert": ["auto", "-", file, new, "--no-build"],
        "plan": ["auto", "-", file, "--no-build"],
        "inspect": [file],
    }[command]
    done = cli(command, *arguments)
    assert done.code == 3
    assert_clean(done)
    assert not new.exists()
