"""Y: what hostile rule files leave open in the ruleset room's tests."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from program import convert, run
from support.files import write
from support.streams import tensor
from toys import toy

from mm_ckpt_migrate.errors import ExitCode, RuleError
from mm_ckpt_migrate.mapping.rules.load import load_ruleset
from mm_ckpt_migrate.mapping.rules.pattern import PatternError, compile_pattern

RULES = Path(__file__).parents[2] / "rules"
GOOD = (RULES / "rpn.yaml").read_text()


def refusal(path: Path) -> RuleError:
    begun = time.process_time()
    with pytest.raises(RuleError) as caught:
        load_ruleset(path)
    assert time.process_time() - begun < 5
    return caught.value


def refused(text: str, folder: Path) -> str:
    return refusal(write(folder, text.encode(), "mine.yaml")).message


SLOW = [r"^((a+)+)$", r"^(.*)\.(.*)\.(.*)\.(.*)x$", r"^(.*)\.(.*)\.(.*)x$", "(a|a)*", "a{1,9999}"]


@pytest.mark.parametrize("pattern", SLOW)
def test_y1_regular_expressions_are_no_patterns(pattern: str) -> None:
    with pytest.raises(PatternError):
        compile_pattern(pattern, {})


@pytest.mark.parametrize("segments", [1, 100, 512])
def test_y1_y2_a_long_key_takes_no_time(segments: int) -> None:
    """The worst that the grammar has: captures, one of them twice, and a rest, on 1,024 bytes."""
    pattern = compile_pattern("{a}.{b}.{c}.{a}.x.**", {})
    key = tuple(("a" * (1024 // segments - 1) or "a",) * segments)
    begun = time.process_time()
    for _ in range(1000):
        pattern.match(key)
    assert time.process_time() - begun < 2


def test_y2_hundreds_of_long_keys_in_a_file(tmp_path: Path) -> None:
    keys = [f"backbone.{'.'.join(['a'] * 500)}.{number}" for number in range(300)]
    old = write(tmp_path, toy(dict.fromkeys(keys, tensor())))
    begun = time.process_time()
    assert convert(old).code == ExitCode.OK
    assert time.process_time() - begun < 15


@pytest.mark.parametrize("to", [r"\\g<99>", r"\\0", r"\\1.w", "$1", "{0}", "{nobody}.w", "a.{i}.b"])
def test_y3_what_stands_for_nothing_is_an_error_when_the_file_is_loaded(to: str, tmp_path: Path) -> None:
    rules = f'rules:\n  - from: "a.b"\n    to: "{to}"\n'
    before, after = GOOD.split("rules:\n", 1)
    rest = after[after.index("\ncontrol:") :] if "\ncontrol:" in after else ""
    assert refused(before + rules + rest, tmp_path)


def test_y5_a_bomb_of_merge_keys(tmp_path: Path) -> None:
    lines = ["a0: &a0 {k: v}"]
    lines += [f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}" for i in range(1, 9)]
    assert "anchors and aliases" in refused("\n".join(lines), tmp_path)
    assert "'<<' as a merge" in refused("schema: 1\n<<: {a: b}\n", tmp_path)


TAGS = [
    "!!python/object/apply:os.system ['touch ran']",
    "!!python/object/new:os.system [id]",
    "!!python/name:os.system ''",
    "!!python/module:os ''",
    "!!python/object:os.X {}",
    "!<tag:yaml.org,2002:python/object/apply:os.system> [id]",
    "!!binary aGk=",
    "!!set {a}",
]


@pytest.mark.parametrize("tag", TAGS)
def test_y10_tags_make_nothing(tag: str, tmp_path: Path) -> None:
    """The audit hook watches."""
    assert "tags such as" in refused(f"schema: 1\ntitle: {tag}\n", tmp_path)
    assert run("rules", "check", tmp_path / "mine.yaml").code == ExitCode.BAD_RULES


@pytest.mark.parametrize("word", ["include", "import", "extends", "python", "script", "plugins"])
def test_y12_there_is_no_way_to_another_file(word: str, tmp_path: Path) -> None:
    assert f"`{word}` is not a field" in refused(f"{GOOD}\n{word}: ../other.yaml\n", tmp_path)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("place", ["fifo", "/dev/zero", "/dev/stdin", "folder", "loop", "gone"])
def test_y12_what_is_no_file_is_not_waited_for(place: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "gone").symlink_to("nowhere")
    error = refusal(tmp_path / place)
    assert "cannot be read" in error.message
    assert error.exit_code == ExitCode.BAD_RULES


def test_y12_of_a_huge_file_no_more_than_may_be_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, b"#", "huge.yaml")
    os.truncate(path, 1 << 40)
    assert "1 MiB at most" in refusal(path).message


Change = Callable[[str], str]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("rules:", "rulse:"),
        lambda text: text + "\tx: 1\n",
        lambda text: "\ufeff" + text,
        lambda text: text.replace("schema: 1", "schema: 9"),
    ],
    ids=["misspelt", "tab", "byte_order_mark", "other_schema"],
)
def test_y11_y12_a_shipped_file_spoilt(change: Change, tmp_path: Path) -> None:
    assert load_ruleset(write(tmp_path, GOOD.encode(), "good.yaml"))
    assert refused(change(GOOD), tmp_path)
