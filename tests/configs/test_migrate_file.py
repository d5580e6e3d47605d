"""Config files: derived ones, ones that move, ones that are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from old_style import SOURCE, decoder_of

from mm_ckpt_migrate.configs.migrate.file import migrate_config_file
from mm_ckpt_migrate.configs.migrate.values import migrate_config
from mm_ckpt_migrate.configs.read.config import read_config
from mm_ckpt_migrate.errors import ConfigError, DestinationError
from mm_ckpt_migrate.mapping.rules.library import Library

Migrate = Callable[..., Any]
Write = Callable[..., Path]
BASE = "default_scope = 'mmseg'\nlog_level = 'INFO'\n"
DERIVED = "_base_ = ['./base.py']\nlog_level = 'DEBUG'  # mine\n" + SOURCE


@pytest.fixture
def migrate(library: Library) -> Migrate:
    """Migrate a file, and hold what was written against the values that are right."""

    def run(old: Path, new: Path | None = None, **options: Any) -> Any:
        before = old.read_bytes()
        expected = migrate_config(read_config(old), library.families, old).config
        result = migrate_config_file(old, new, library.families, **options)
        assert old.read_bytes() == before
        if new is not None and result.form != "unchanged":
            assert new.read_text() == result.text
            assert repr(read_config(new)) == repr(expected)
        return result

    return run


def test_next_to_the_old_one(write: Write, tmp_path: Path, migrate: Migrate) -> None:
    result = migrate(write(old__py=SOURCE), tmp_path / "new.py")
    assert (result.form, result.family) == ("edited", "maskformer")
    assert (tmp_path / "new.py").stat().st_mode == (tmp_path / "old.py").stat().st_mode
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.py", "old.py"]


def test_without_a_new_file_nothing_is_written(write: Write, tmp_path: Path, migrate: Migrate) -> None:
    assert migrate(write(old__py=SOURCE)).form == "edited"
    assert [path.name for path in tmp_path.iterdir()] == ["old.py"]


def test_a_new_style_config_is_not_written_again(write: Write, tmp_path: Path, migrate: Migrate) -> None:
    migrate(write(old__py=SOURCE), tmp_path / "new.py")
    result = migrate(tmp_path / "new.py", tmp_path / "newer.py")
    assert (result.form, result.changes, result.family) == ("unchanged", (), None)
    assert not (tmp_path / "newer.py").exists()


@pytest.mark.parametrize("folder", [".", "deep/er", ".."])
def test_the_bases_are_found_from_another_folder(folder: str, tmp_path: Path, migrate: Migrate) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "base.py").write_text(BASE)
    (home / "old.py").write_text(DERIVED)
    target = home / folder
    target.mkdir(parents=True, exist_ok=True)
    result = migrate(home / "old.py", target / "new.py")
    assert result.form == "edited"
    assert "log_level = 'DEBUG'  # mine\n" in result.text
    assert str(tmp_path) not in result.text


@pytest.mark.parametrize(
    ("bases", "form"),
    [
        ("'base.py'", "edited"),
        ("['base.py', 'more.py']", "edited"),
        ("['ba' + 'se.py']", "flattened"),
        ("[f'base.py']", "flattened"),
        ("['{{ fileDirname }}/base.py']", "flattened"),
    ],
)
def test_all_ways_to_state_bases(bases: str, form: str, write: Write, migrate: Migrate) -> None:
    write(base__py=BASE, more__py="y = 1\n")
    old = write(old__py=f"_base_ = {bases}\n" + SOURCE)
    (old.parent / "sub").mkdir()
    assert migrate(old, old.parent / "sub" / "new.py").form == form


def test_old_settings_in_a_base_are_written_out(write: Write, migrate: Migrate) -> None:
    write(base__py=SOURCE)
    old = write(
        old__py="_base_ = 'base.py'\nmodel = dict(decode_head=dict(num_queries=7,\n"
        "    transformer_decoder=dict(num_layers=9, transformerlayers=dict(ffn_num_fcs=3))))\n"
        "my_setting = [1, (2,)]\n"
    )
    result = migrate(old, old.with_name("new.py"))
    assert result.form == "flattened"
    new: Any = read_config(old.with_name("new.py"))
    decoder = decoder_of(new)
    assert decoder["num_layers"] == 9
    assert decoder["layer_cfg"]["ffn_cfg"]["num_fcs"] == 3
    assert new["model"]["decode_head"]["num_queries"] == 7
    assert new["my_setting"] == [1, (2,)]
    assert "_base_" not in result.text


def test_a_child_whose_base_was_migrated_has_nothing_to_do(write: Write, migrate: Migrate) -> None:
    migrate(write(old__py=SOURCE), write(base__py="").with_name("base.py"), force=True)
    child = write(child__py="_base_ = 'base.py'\nmodel = dict(decode_head=dict(num_queries=3))\n")
    assert migrate(child, child.with_name("new.py")).form == "unchanged"


def test_old_settings_over_a_migrated_base_are_refused(write: Write, migrate: Migrate) -> None:
    migrate(write(old__py=SOURCE), write(base__py="").with_name("base.py"), force=True)
    child = write(
        child__py="_base_ = 'base.py'\nmodel = dict(decode_head=dict(transformer_decoder=dict(\n"
        "    transformerlayers=dict(ffn_cfgs=dict(ffn_drop=0.2)))))\n"
    )
    with pytest.raises(ConfigError, match="half of it is for the current release"):
        migrate(child, child.with_name("new.py"))


def test_templates_that_depend_on_the_place_keep_their_values(write: Write, migrate: Migrate) -> None:
    old = write(old__py="work_dir = 'work/{{ fileBasenameNoExtension }}'\n" + SOURCE)
    result = migrate(old, old.with_name("new.py"))
    assert result.form == "flattened"
    assert read_config(old.with_name("new.py"))["work_dir"] == "work/old"


def test_values_from_a_base_stay_references(write: Write, migrate: Migrate) -> None:
    write(base__py=BASE)
    old = write(old__py="_base_ = 'base.py'\nlevel = _base_.log_level\n" + SOURCE)
    assert "level = _base_.log_level" in migrate(old, old.with_name("new.py")).text


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
def test_data_files_become_python(suffix: str, write: Write, tmp_path: Path, migrate: Migrate) -> None:
    text = json.dumps(read_config(write(old__py=SOURCE)))
    (tmp_path / f"old{suffix}").write_text(text)
    assert migrate(tmp_path / f"old{suffix}", tmp_path / "new.py").form == "flattened"


def test_the_destination(write: Write, tmp_path: Path, migrate: Migrate) -> None:
    old = write(old__py=SOURCE)
    taken = write(taken__py="x = 1\n")
    (tmp_path / "link.py").symlink_to(taken)
    for new in (taken, old, tmp_path / "link.py", tmp_path / "no" / "new.py", tmp_path):
        with pytest.raises(DestinationError):
            migrate(old, new)
    with pytest.raises(DestinationError, match=r"\*\.py"):
        migrate(old, tmp_path / "new.json")
    with pytest.raises(DestinationError):
        migrate(old, old, force=True)
    assert taken.read_text() == "x = 1\n"
    assert migrate(old, taken, force=True).form == "edited"


def test_o1_what_it_inherits_from_is_never_replaced(write: Write, migrate: Migrate) -> None:
    base = write(base__py=BASE)
    old = write(old__py=DERIVED)
    with pytest.raises(DestinationError, match="it is what the source inherits from"):
        migrate(old, base, force=True)
    assert base.read_text() == BASE


@pytest.mark.parametrize(
    ("files", "line", "words"),
    [
        ({"old__py": "_base_ = 'missing.py'\n" + SOURCE}, 1, "'missing.py' does not exist"),
        ({"old__py": "_base_ = 'old.py'\n" + SOURCE}, None, "inherits from itself"),
        ({"old__py": "_base_ = 'b.py'\n", "b__py": "_base_ = 'old.py'\n"}, None, "from itself"),
        ({"old__py": "import os\nos.system('touch ran')\n" + SOURCE}, 1, "an import is not read"),
        ({"old__py": SOURCE + "model['x'] = __import__('os').system('touch ran')\n"}, 34, "call"),
        ({"old__py": SOURCE + "x = open('ran', 'w')\n"}, 34, "a call of open() is not read"),
        ({"old__py": SOURCE + "x = lambda: 1\n"}, 34, "a lambda is not read"),
        ({"old__py": SOURCE + "x = '{{$HOME}}'\n"}, 34, "reads the environment"),
        ({"old__py": SOURCE + "def f():\n    pass\n"}, 34, "a function definition is not read"),
        ({"old__py": SOURCE + "x = (\n"}, 34, "not valid Python"),
        ({"old__py": "\x00"}, None, "Python"),
        ({"old__txt": SOURCE}, None, "a config is a file that ends in"),
        ({"old__py": "x = 1\n"}, None, "nothing to migrate"),
    ],
)
def test_one_clear_sentence(
    files: Any, line: int | None, words: str, tmp_path: Path, library: Library, monkeypatch: Any
) -> None:
    for name, text in files.items():
        (tmp_path / name.replace("__", ".")).write_text(text)
    old = tmp_path / next(iter(files)).replace("__", ".")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        migrate_config_file(old, tmp_path / "new.py", library.families)
    assert words in caught.value.message
    assert "\n" not in caught.value.message
    if line is not None:
        assert caught.value.line == line
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "new.py").exists()


def test_a_missing_base_says_what_to_do(write: Write, migrate: Migrate) -> None:
    with pytest.raises(ConfigError) as caught:
        migrate(write(old__py="_base_ = '../mask2former/gone.py'\n" + SOURCE))
    assert "put that file there" in caught.value.hint
    assert "work_dir" in caught.value.hint


def test_no_file_at_all(tmp_path: Path, library: Library) -> None:
    for new in (None, tmp_path / "new.py"):
        with pytest.raises(ConfigError, match="no such file"):
            migrate_config_file(tmp_path / "none.py", new, library.families)
