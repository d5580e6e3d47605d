"""P1, P2, P25: the interpreter's own audit events say that nothing in a file was imported or run.

One child process converts and inspects every hostile file. Harmless files go first: what the
program itself imports and evaluates for them (typer evaluates annotations) is no event later.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from support.faults import run
from support.files import golden_file, write
from support.legacy import build_legacy
from support.streams import ORDERED_DICT, call, mapping, name, stream, system_call, tensor, text
from support.zips import Member, build_zip, torch_zip

from mm_ckpt_migrate.errors import ExitCode

CANARY = "canary_module"
WEIGHTS = mapping({"w": tensor()})
ZIP, LEGACY = golden_file("maskformer_r18_encoder"), golden_file("maskformer_swin")

_WATCHER = """
import json, os, re, sys

plan = json.load(open(sys.argv[1]))
events, usual = [], set()
DANGEROUS = ("import", "exec", "compile", "os.system", "os.exec", "os.posix_spawn", "os.fork",
             "subprocess.Popen", "pickle.find_class", "ctypes.dlopen", "marshal.loads", "os.remove",
             "os.rename", "os.truncate", "os.chmod", "os.utime", "shutil.rmtree")


def watch(event, args):
    if event == "open":
        path, mode, flags = args
        write = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        if write and str(path) != os.devnull:
            events.append(("open for writing", str(path)))
    elif event == "os.truncate" and isinstance(args[0], int):
        pass  # the new file, which has no name yet; the source's descriptor is for reading only
    elif event in DANGEROUS or event.startswith("socket."):
        events.append((event, re.sub("0x[0-9a-f]+", "", repr(args))))


sys.addaudithook(watch)
from mm_ckpt_migrate.cli.main import app

outcome = {}
for name, arguments in plan:
    sys.argv = ["mm-ckpt-migrate", *arguments]
    events = []
    try:
        app()
    except SystemExit as end:
        code = end.code
    if name.startswith("warm-up"):
        usual |= {event for event in events if event[0] != "open for writing"}
    outcome[name] = {"code": code, "events": [event for event in events if event not in usual]}
outcome["modules"] = list(sys.modules)
print("\\n" + json.dumps(outcome))
"""

VALUES: dict[str, bytes] = {
    "os_system": system_call(),
    "function_of_the_canary": call(f"{CANARY}.function", text("a")),
    "class_of_the_canary": call(f"{CANARY}.Class", opcode=b"\x81") + mapping({"a": b"N"}) + b"b",
    "name_of_the_canary": name(f"{CANARY}.anything"),
    "eval": call("builtins.eval", text("__import__('canary_module')")),
    "exec": call("builtins.exec", text("import canary_module")),
    "dunder_import": call("builtins.__import__", text(CANARY)),
    "import_module": call("importlib.import_module", text(CANARY)),
    "getattr": call("builtins.getattr", name(f"{CANARY}.Class"), text("method")),
    "rebuild_from_type": call(
        "torch._tensor._rebuild_from_type_v2", name(f"{CANARY}.function"), name(f"{CANARY}.Class"), b")", b"}"
    ),
    "loads": call("pickle.loads", text("canary")),
    "hooks": call("torch._utils._rebuild_parameter", tensor(), b"\x88", call(f"{CANARY}.function")),
    "persistent": b"(" + text("module") + name(f"{CANARY}.Net") + text("x") + text("") + b"tQ",
}
BODIES: dict[str, bytes] = {
    **{
        f"in_state_dict_{key}": mapping({"state_dict": mapping({"w": tensor(), "x": value})})
        for key, value in VALUES.items()
    },
    **{
        f"in_meta_{key}": mapping({"meta": mapping({"x": value}), "state_dict": WEIGHTS})
        for key, value in VALUES.items()
    },
    **{
        f"in_optimizer_{key}": mapping({"state_dict": WEIGHTS, "optimizer": value})
        for key, value in VALUES.items()
    },
    **{f"as_root_{key}": value for key, value in VALUES.items()},
    "in_metadata": mapping(
        {"state_dict": mapping({"w": tensor()}, ORDERED_DICT) + mapping({"_metadata": system_call()}) + b"b"}
    ),
    "as_key": mapping({"state_dict": b"}" + b"(" + system_call() + tensor() + b"u"}),
    "protocol_4": b"\x8c\x02os\x8c\x06system\x93" + text("touch ran") + b"\x85R",
    "inst": b"(" + text("touch ran") + b"ios\nsystem\n",
    "obj": b"(cos\nsystem\n" + text("touch ran") + b"o",
    "ext1": b"\x82\x01",
}


# The object of a legacy file goes the same way, so that one place of each kind is enough.
LEGACY_CASES = [case for case in BODIES if not case.startswith(("in_meta_", "in_optimizer_"))]
# Beside a genuine file's own storages there is no room for others.
SECTION = text("more") + mapping({k: v for k, v in VALUES.items() if b"tQ" not in v})


def with_section(path: Path, section: bytes) -> bytes:
    """A genuine zip file with one more entry in its root, whose SETITEMS ends the stream."""
    with zipfile.ZipFile(path) as archive:
        members = [Member(n, archive.read(n)) for n in archive.namelist()]
    assert members[0].data.endswith(b"u.")
    members[0].data = members[0].data[:-2] + section + b"u."
    return build_zip(members)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / f"{CANARY}.py").write_text("open('ran', 'w')\n")
    plan: list[tuple[str, list[str]]] = []

    def add(name: str, path: Path, *options: str) -> None:
        files = [str(path), str(folder / f"{name}.new")]
        plan.append((f"{name} convert", ["convert", "auto", "-", *files, "--no-build", *options]))
        plan.append((f"{name} inspect", ["inspect", str(path)]))

    for golden in (ZIP, LEGACY):
        add(f"warm-up {golden.parent.name}", golden)
    add("warm-up refused", write(folder, torch_zip(), "refused"))
    add("warm-up opaque", write(folder, torch_zip(), "opaque"), "--keep-opaque")
    for case, body in BODIES.items():
        add(f"zip_{case}", write(folder, torch_zip(stream(body)), f"{case}.zip"))
        if case in LEGACY_CASES:
            add(f"legacy_{case}", write(folder, build_legacy(stream(body)), f"{case}.legacy"))
    genuine = write(folder, with_section(ZIP, SECTION), "genuine")
    add("genuine", genuine)
    add("genuine_kept", genuine, "--keep-opaque")

    (folder / "plan.json").write_text(json.dumps(plan))
    done = subprocess.run(
        [sys.executable, "-c", _WATCHER, folder / "plan.json"],
        capture_output=True,
        text=True,
        timeout=200,
        cwd=folder,
        check=False,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    found["folder"] = folder
    return found


HOSTILE = [f"zip_{case}" for case in BODIES] + [f"legacy_{case}" for case in LEGACY_CASES]


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_was_imported_called_or_written(name: str, outcome: dict[str, Any]) -> None:
    for command in ("convert", "inspect"):
        assert but_for_the_probe(outcome[f"{name} {command}"]["events"], outcome) == []
    assert not (outcome["folder"] / f"{name}.new").exists()


def but_for_the_probe(events: list[list[str]], outcome: dict[str, Any]) -> list[list[str]]:
    """Without the file that has no name (O_TMPFILE), by which a folder is tried first."""
    return [event for event in events if event != ["open for writing", str(outcome["folder"])]]


@pytest.mark.parametrize("name", HOSTILE)
def test_refused(name: str, outcome: dict[str, Any]) -> None:
    assert outcome[f"{name} convert"]["code"] == ExitCode.BAD_CHECKPOINT
    assert outcome[f"{name} inspect"]["code"] in (ExitCode.OK, ExitCode.BAD_CHECKPOINT)


def test_a_genuine_file_with_a_hostile_section(outcome: dict[str, Any]) -> None:
    done = outcome["genuine convert"]
    assert done["code"] == ExitCode.BAD_CHECKPOINT
    assert but_for_the_probe(done["events"], outcome) == []
    assert outcome["genuine inspect"] == {"code": ExitCode.OK, "events": []}


def test_kept_opaque_on_request_and_still_not_run(outcome: dict[str, Any]) -> None:
    kept = outcome["genuine_kept convert"]
    assert kept["code"] == ExitCode.OK
    written = {path for event, path in kept["events"] if event == "open for writing"}
    assert written == {str(outcome["folder"])}  # the folder, with O_TMPFILE
    assert [event for event, _ in kept["events"] if event != "open for writing"] == []
    with zipfile.ZipFile(outcome["folder"] / "genuine_kept.new") as archive:
        assert system_call() in archive.read(archive.namelist()[0])


def test_the_canary_never_sang(outcome: dict[str, Any]) -> None:
    assert CANARY not in outcome["modules"]
    assert "torch" not in outcome["modules"]
    assert not (outcome["folder"] / "ran").exists()


def test_the_watcher_would_have_seen_it(tmp_path: Path) -> None:
    """The control: the same file under pickle itself does run."""
    (tmp_path / f"{CANARY}.py").write_text("open('ran', 'w')\nfunction = str\n")
    body = stream(VALUES["function_of_the_canary"])
    script = f"import pickle; pickle.loads({body!r})"
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, timeout=60)
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("command", ["convert", "inspect"])
def test_as_a_user_runs_it(command: str, tmp_path: Path) -> None:
    (tmp_path / f"{CANARY}.py").write_text("open('ran', 'w')\n")
    path = write(tmp_path, torch_zip(stream(BODIES["in_meta_function_of_the_canary"])))
    more = ("auto", "-", path, tmp_path / "new.pth", "--no-build")
    done = run(command, *(more if command == "convert" else (path,)), cwd=tmp_path)
    assert done.returncode == (ExitCode.BAD_CHECKPOINT if command == "convert" else 0)
    assert CANARY.encode() in done.stdout + done.stderr
    assert sorted(os.listdir(tmp_path)) == [f"{CANARY}.py", "old.pth"]
