"""O1 to O3 by `convert` and `plan`: NEW, --config-out and --plan are one decision."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from golden_cases import CASES

from mm_ckpt_migrate.convert.api import convert, plan
from mm_ckpt_migrate.convert.options import EMBEDDED, Options
from mm_ckpt_migrate.convert.write import new_file as writing
from mm_ckpt_migrate.errors import DestinationError, IntegrityError
from mm_ckpt_migrate.files.archive.publish import Draft
from mm_ckpt_migrate.verdicts import ConvertReport

CASE = CASES["maskformer_panoptic_r18"]
Run = Callable[..., ConvertReport]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "old.pth"
    path.write_bytes(CASE.old.read_bytes())
    return path


@pytest.fixture
def run(old: Path, tmp_path: Path) -> Run:
    """Convert with both outputs beside; names may be others."""

    def run(
        new: str = "new.pth", config: str = "config.py", table: str = "plan.json", **more: bool
    ) -> ConvertReport:
        options = Options(build=False, config_out=tmp_path / config, plan_file=tmp_path / table, **more)
        return convert("auto", EMBEDDED, old, tmp_path / new, options)

    return run


def there(folder: Path) -> set[str]:
    return set(os.listdir(folder)) - {"old.pth"}


def contents(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


ALL = {"new.pth", "config.py", "plan.json"}


def test_all_and_all_again(run: Run, tmp_path: Path) -> None:
    run()
    assert there(tmp_path) == ALL
    made = contents(tmp_path)
    with pytest.raises(DestinationError, match="the destination exists"):
        run()
    assert contents(tmp_path) == made
    run(force=True)
    assert contents(tmp_path) == made


@pytest.mark.parametrize(
    "names",
    [
        {"config": "new.pth"},
        {"table": "new.pth"},
        {"config": "plan.json"},
        {"config": "old.pth"},
        {"table": "old.pth"},
        {"new": "old.pth"},
        {"config": "./sub/../new.pth"},
        {"table": "no/plan.json"},
        {"config": "new.pth/config.py"},
    ],
    ids=str,
)
@pytest.mark.parametrize("force", [False, True])
def test_o1_o2_before_any_work(
    names: dict[str, str], force: bool, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    before = contents_of_files(tmp_path)
    monkeypatch.setattr(writing, "write_checkpoint", lambda *_, **__: pytest.fail("it worked"))
    with pytest.raises(DestinationError):
        run(**names, force=force)
    assert contents_of_files(tmp_path) == before


def contents_of_files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("what", ["config", "base", "rules"])
def test_o1_what_is_read_besides(what: str, old: Path, tmp_path: Path) -> None:
    """The given config, what it inherits from, and rules are inputs, too."""
    base, derived = tmp_path / "base.py", tmp_path / "derived.py"
    base.write_text(Path(CASE.old_config).read_text())
    derived.write_text("_base_ = 'base.py'\n")
    rules = tmp_path / "rules.yaml"
    rules.write_text("")
    files = {"config": derived, "base": base, "rules": rules}
    before = contents(tmp_path)
    options = Options(build=False, force=True, config_out=files[what], rules=(rules,))
    with pytest.raises(DestinationError, match=r"it is (the config|a rule file) itself"):
        convert("auto", str(derived), old, tmp_path / "new.pth", options)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", ["config.py", "plan.json"])
@pytest.mark.parametrize("content", [b"", b"mine", b"x = 1\n", b"{}", b"\x00\xff", b"PK\x03\x04"])
def test_o3_force_replaces_nothing_but_a_config_and_a_plan(
    content: bytes, name: str, run: Run, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DestinationError, match="replaces nothing else"):
        run(force=True)
    assert contents_of_files(tmp_path)[name] == content
    assert there(tmp_path) == {name}


def test_o3_a_checkpoint_is_none_of_them(run: Run, tmp_path: Path) -> None:
    other = tmp_path / "precious.pth"
    other.write_bytes(CASES["rpn_r18"].old.read_bytes())
    for option in ("config", "table"):
        with pytest.raises(DestinationError, match="replaces nothing else"):
            run(**{option: "precious.pth"}, force=True)
    assert other.read_bytes() == CASES["rpn_r18"].old.read_bytes()


@pytest.mark.parametrize("name", sorted(ALL))
@pytest.mark.parametrize("before", [False, True], ids=["new", "over"])
def test_a_failure_takes_back_what_it_published(
    name: str, before: bool, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if before:
        run()
    was, real = contents(tmp_path), Draft._name

    def fail(self: Draft, force: bool) -> None:
        real(self, force)
        if self.path.name == name:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(Draft, "_name", fail)
    with pytest.raises(DestinationError, match=name):
        run(force=before)
    assert contents(tmp_path) == was


def test_new_is_the_last_one(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, order = Draft._name, []

    def name(self: Draft, force: bool) -> None:
        order.append(self.path.name)
        assert not (tmp_path / "new.pth").exists()
        real(self, force)

    monkeypatch.setattr(Draft, "_name", name)
    run()
    assert order == ["config.py", "plan.json", "new.pth"]


def test_a_refused_file_leaves_nothing_beside_it(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise IntegrityError("the memory fails")

    monkeypatch.setattr(writing, "_put_digest", broken)
    with pytest.raises(IntegrityError):
        run()
    assert there(tmp_path) == set()


def test_where_there_is_nothing_to_do(run: Run, tmp_path: Path) -> None:
    run()
    options = Options(build=False, config_out=tmp_path / "c.py", plan_file=tmp_path / "p.json", force=True)
    report = convert("auto", EMBEDDED, tmp_path / "new.pth", tmp_path / "again.pth", options)
    assert report.destination is None
    for name in ("c.py", "p.json"):
        assert f"{tmp_path / name} was not written" in report.notices
    assert there(tmp_path) == ALL


def test_what_a_killed_run_left_is_named(run: Run, old: Path, tmp_path: Path) -> None:
    from mm_ckpt_migrate.files.archive.leftovers import draft_name

    left = draft_name(tmp_path)
    left.write_bytes(b"half")
    assert f"{left}, which a killed run had left, was removed" in run().notices
    left.write_bytes(b"half")
    _, report = plan("auto", "-", old, Options(build=False, plan_file=tmp_path / "plan.json", force=True))
    assert f"{left}, which a killed run had left, was removed" in report.notices
    (tmp_path / "new.pth").unlink()
    (tmp_path / "plan.json").unlink()
    with pytest.raises(DestinationError, match=r"config.py: the destination exists") as caught:
        run()
    assert "NEW is not there: a run that was killed may have left this file" in caught.value.hint


def test_private_files_give_private_files(run: Run, old: Path, tmp_path: Path) -> None:
    old.chmod(0o600)
    run()
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in ALL} == {0o600}


def test_the_plan_of_plan(old: Path, tmp_path: Path) -> None:
    """The file of --plan is the command's one result: force replaces it, whatever it is."""
    table = tmp_path / "plan.json"
    table.write_text("mine")
    options = Options(build=False, plan_file=table)
    with pytest.raises(DestinationError, match="the destination exists"):
        plan("auto", "-", old, options)
    assert table.read_text() == "mine"
    plan("auto", "-", old, Options(build=False, plan_file=table, force=True))
    assert table.read_text().startswith("{")
    with pytest.raises(DestinationError, match="it is the source itself"):
        plan("auto", "-", old, Options(build=False, plan_file=old, force=True))


@pytest.mark.parametrize("cfg", [EMBEDDED, CASE.new_config])
def test_a_config_that_could_not_be_read_again(cfg: str, old: Path, tmp_path: Path) -> None:
    options = Options(build=False, config_out=tmp_path / "config.txt")
    with pytest.raises(DestinationError, match="a config is written as Python"):
        convert("auto", str(cfg), old, tmp_path / "new.pth", options)
    assert there(tmp_path) == set()
