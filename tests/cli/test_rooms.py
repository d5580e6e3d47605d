"""The rooms of the package: imports point downwards, one room prints, one room knows torch."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "mm_ckpt_migrate"
# From the ground up. A room may import from the rooms before it, and from nothing else.
ROOMS = (
    *("__init__", "errors", "names", "schema", "resources", "verdicts"),
    *("files", "mapping", "configs", "zoo", "identify", "releases"),
    *("convert", "mmengine_loader", "verify", "batch"),
    *("audit", "doctor", "demo", "derive", "pages", "cli", "__main__"),
)
PLAIN = ("errors", "names", "schema", "verdicts")
STACK = {"torch", "numpy", "mmengine", "mmcv", "mmdet", "mmseg", "safetensors"}
THIRD_PARTY = {
    "yaml": ("mapping", "configs", "zoo"),
    "platformdirs": ("releases",),
    "ruamel": ("zoo",),
    **dict.fromkeys(("typer", "rich", "click"), ("cli",)),
    **dict.fromkeys(STACK, ("releases", "mmengine_loader")),
    **dict.fromkeys(("ray", "fsspec", "aiohttp"), ("batch",)),
    **dict.fromkeys(("jinja2", "markupsafe", "PIL"), ("pages",)),
}
FILES = sorted(ROOT.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@cache
def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in the file and for whatever purpose."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            assert node.module is not None
            if node.module == "mm_ckpt_migrate":
                yield from (f"mm_ckpt_migrate.{alias.name}" for alias in node.names)
            else:
                yield node.module


def own_imports(path: Path) -> set[str]:
    """Rooms that a file imports from."""
    names = {name.partition(".")[2] for name in imports(path) if name.startswith("mm_ckpt_migrate")}
    rooms = {name.partition(".")[0] for name in names}
    return {room if room in ROOMS else "__init__" for room in rooms} - {room_of(path)}


def test_every_room_has_its_place() -> None:
    assert {room_of(path) for path in FILES} == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_imports_point_downwards(room: str) -> None:
    below = set(ROOMS[: ROOMS.index(room)])
    for path in FILES:
        if room_of(path) == room:
            assert own_imports(path) <= below, path


def test_no_file_imports_itself_in_a_circle() -> None:
    modules = {
        ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path
        for path in FILES
    }
    left = {name: {n for n in imports(p) if n in modules} for name, p in modules.items()}
    while left:
        free = {name for name, needed in left.items() if not needed & set(left) - {name}}
        assert free, f"a circle among {sorted(left)}"
        left = {name: needed for name, needed in left.items() if name not in free}


def test_plain_data_needs_nothing() -> None:
    for room in PLAIN:
        assert own_imports(ROOT / f"{room}.py") <= {"errors"}


def test_a_package_is_used_in_its_room_only() -> None:
    for path in FILES:
        for name in imports(path):
            package = name.partition(".")[0]
            if package in THIRD_PARTY:
                assert room_of(path) in THIRD_PARTY[package], f"{package} in {path}"


def test_only_the_command_line_prints() -> None:
    for path in FILES:
        if room_of(path) in ("cli", "__main__"):
            continue
        for node in nodes(path):
            assert not (isinstance(node, ast.Name) and node.id in ("print", "input")), path
            if isinstance(node, ast.Attribute) and node.attr in ("stdout", "stderr", "exit"):
                prints = isinstance(node.value, ast.Name) and node.value.id == "sys"
                assert not prints or "Child only" in path.read_text() or room_of(path) == "releases", path


def test_nothing_in_the_package_unpickles_or_evaluates() -> None:
    forbidden = {"eval", "exec", "compile", "__import__"}
    for path in FILES:
        for node in nodes(path):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in forbidden, path
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert (node.value.id, node.attr) not in {("pickle", "load"), ("pickle", "loads")}


def test_there_is_no_drawer_for_everything() -> None:
    assert not [path for path in FILES if path.stem in ("utils", "helpers", "common", "misc", "model")]


# Names that say enough in whichever room: what it is given, what it does, what it writes.
AGAIN = {
    *("__init__", "run", "options", "outputs", "process", "read", "write", "publish", "find", "legacy"),
    *("asjson", "batch", "diagnosis", "ladder", "progress", "release", "worker", "main", "listed"),
    *("names", "errors", "values", "verdicts", "keys", "files", "folders", "entries", "parts", "order"),
    *("build", "calls", "compare", "data", "forward", "literals", "nodes", "raw_outputs", "resume"),
    *("source", "tree", "written", "fork_server"),
}


def test_a_name_says_which_file_is_meant() -> None:
    counts = Counter(path.stem for path in FILES)
    assert {name for name, count in counts.items() if count > 1} <= AGAIN
    assert max(count for name, count in counts.items() if name != "__init__") <= 5


def test_the_house_is_small_enough_to_know() -> None:
    folders = [path for path in ROOT.iterdir() if any(path.glob("*.py"))]
    assert len(folders) <= 13
    assert len([path for path in ROOT.glob("*.py") if not path.stem.startswith("__")]) <= 8


def test_a_file_is_read_at_a_sitting() -> None:
    for path in FILES:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, path
        for node in nodes(path):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                # Commands import inside their bodies, so that --help is fast.
                code = [n for n in node.body if not isinstance(n, ast.Expr | ast.Import | ast.ImportFrom)]
                assert not code or (node.end_lineno or 0) - code[0].lineno < 40, f"{node.name} in {path}"


# The order within these rooms, from the ground up.
WITHIN = {
    "files": ("pickles", "archive", "checkpoint"),
    "mapping": ("rules", "plan"),
    "configs": ("values", "edits", "compare", "contradict", "static", "read", "write", "migrate"),
    "identify": ("layouts", "diagnosis", "survey"),
    "verify": ("raw_outputs", "reference", "files", "options", "sides", "whole", "rungs", "result", "run"),
    "convert": ("training", "checks", "decide", "write", "run", "api"),
}


@pytest.mark.parametrize("room", WITHIN)
def test_imports_point_downwards_within_a_room(room: str) -> None:
    order = WITHIN[room]
    for path in (ROOT / room).rglob("*.py"):
        own = path.relative_to(ROOT / room).parts[0].removesuffix(".py")
        if own not in order:
            continue
        prefix = f"mm_ckpt_migrate.{room}."
        inner = {n.removeprefix(prefix).partition(".")[0] for n in imports(path) if n.startswith(prefix)}
        assert inner.isdisjoint(order[order.index(own) + 1 :]), path
