"""The `{{ }}` of mmengine: file names are filled in, the environment is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from mm_ckpt_migrate.configs.read.config import read_config, read_config_text
from mm_ckpt_migrate.errors import ConfigError


def test_parts_of_the_path(write, tmp_path: Path) -> None:
    text = "a = '{{fileDirname}}/x'\nb = '{{ fileBasename }}'\nc = 'w/{{fileBasenameNoExtension}}'"
    config = read_config(write(my__py=text + "\nd = '{{ fileExtname }}'"))
    assert config == {"a": f"{tmp_path}/x", "b": "my.py", "c": "w/my", "d": ".py"}


def test_the_path_is_that_of_the_file_it_stands_in(write) -> None:
    child = write(a__py="a = '{{fileBasename}}'", b__py="_base_ = 'a.py'\nb = '{{fileBasename}}'")
    assert read_config(child) == {"a": "a.py", "b": "b.py"}


def test_a_path_that_would_end_the_string(tmp_path: Path) -> None:
    path = tmp_path / "a', x='injected.py"
    path.write_text("b = dict(\n  a='{{fileBasename}}')")
    with pytest.raises(ConfigError, match="unusual characters") as caught:
        read_config(path)
    assert caught.value.line == 2


@pytest.mark.parametrize(
    "template", ["'{{$HOME:/x}}/y'", "{{'$WORLD_SIZE:8'}}", "'{{ $HOME:}}'", '{{"$A:1"}}']
)
def test_the_environment_is_not_read(write, monkeypatch, template: str) -> None:
    monkeypatch.setenv("HOME", "/secret")
    for read in (
        lambda: read_config(write(a__py=f"a = 1\nb = {template}")),
        lambda: read_config_text(f"a = 1\nb = {template}", "dump"),
    ):
        with pytest.raises(ConfigError, match="reads the environment") as caught:
            read()
        assert caught.value.line == 2
        assert "/secret" not in str(caught.value)


def test_text_of_a_checkpoint_has_no_file_to_name() -> None:
    assert read_config_text("a = '{{fileBasename}}'", "dump") == {"a": "{{fileBasename}}"}
