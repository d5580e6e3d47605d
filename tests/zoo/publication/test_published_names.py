"""Names of published files: those that the zoos gave, and what has no time stamp."""

from __future__ import annotations

import csv
import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mm_ckpt_migrate.identify.layouts.weights import zoo_files
from mm_ckpt_migrate.zoo.entries import ZooEntry, digest_in, entries
from mm_ckpt_migrate.zoo.publication import (
    Renaming,
    ZooError,
    new_names,
    published_name,
    renaming_table,
    time_stamp,
)

DIGEST = "0123456789abcdef" * 4
CONVERTED = [entry for entry in entries() if not entry.retrained]
RETRAINED = [entry for entry in entries() if entry.retrained]


def name_of(entry: ZooEntry) -> str:
    (config,) = set(zoo_files()[entry.new_file].configs.values())
    return published_name(entry.old_file, config, digest_in(entry.new_file))


def test_every_pair_is_converted_or_retrained() -> None:
    assert (len(CONVERTED), len(RETRAINED)) == (28, 6)


@pytest.mark.parametrize("entry", CONVERTED, ids=lambda entry: entry.new_file)
def test_a_converted_file_gets_the_name_that_the_zoo_gave_it(entry: ZooEntry) -> None:
    assert name_of(entry) == entry.new_file


@pytest.mark.parametrize("entry", RETRAINED, ids=lambda entry: entry.new_file)
def test_a_retrained_file_differs_in_the_day_of_its_training_alone(entry: ZooEntry) -> None:
    old, new = time_stamp(entry.old_file), time_stamp(entry.new_file)
    assert old < new
    assert name_of(entry).replace(old, new) == entry.new_file


def test_the_time_stamps_of_all_zoo_files() -> None:
    found = {name: time_stamp(name) for name in zoo_files()}
    lengths = [len(stamp) for stamp in found.values()]
    assert [lengths.count(size) for size in (15, 8, 0)] == [995, 172, 104]
    assert not [n for n, stamp in found.items() if not stamp and re.search(r"20\d{6}", n)]


def test_a_zoo_file_published_again_under_its_own_words_keeps_its_name() -> None:
    again = 0
    for name in zoo_files():
        config, joint, rest = name.rpartition("_" + time_stamp(name))
        if time_stamp(name) and joint and re.fullmatch(r"-[0-9a-f]{8}\.pth", rest):
            again += 1
            assert published_name(name, config, digest_in(name)) == name
    assert again == 1160


@pytest.mark.parametrize(
    ("old", "stamp"),
    [
        ("a_20221204_143905-ab263c11.pth", "20221204_143905"),
        ("a-20230224_185436-13fef4ea.pth", "20230224_185436"),
        ("atss_r101_fpn_1x_20200825-dfcadd6f.pth", "20200825"),
        ("vfnet_r101_fpn_1x_coco_20201027pth-c831ece7.pth", "20201027"),
        ("20221204_143905.pth", "20221204_143905"),
        ("work_dirs/20221204_143905/a_20221205_143905.pth", "20221205_143905"),
        ("work_dirs/20221204_143905/iter_160000.pth", ""),
        ("a_20201001_20221204_143905-ab263c11.pth", "20221204_143905"),
        ("faster_rcnn-20210726.pth", ""),  # a digest of digits
        ("a_20211926-ab263c11.pth", ""),  # no such month
        ("a_20210726_996199-ab263c11.pth", "20210726"),  # no such time
        ("a_120210726-ab263c11.pth", ""),
        ("fsaf_r50_fpn_1x_coco-94ccc51f.pth", ""),
    ],
)
def test_where_the_time_stamp_stands(old: str, stamp: str) -> None:
    joint = f"_{stamp}" if stamp else ""
    assert published_name(old, "configs/b/b_8xb2.py", DIGEST) == f"b_8xb2{joint}-01234567.pth"


def test_a_config_name_keeps_its_dots() -> None:
    config = "configs/regnet/mask-rcnn_regnetx-3.2GF_fpn_1x_coco.py"
    name = "mask-rcnn_regnetx-3.2GF_fpn_1x_coco-01234567.safetensors"
    assert published_name("iter_1.pth", config, DIGEST, ".safetensors") == name
    assert published_name("iter_1.pth", "mask-rcnn_regnetx-3.2GF", DIGEST).count("3.2GF-") == 1


@settings(deadline=None)
@given(st.text(max_size=60), st.from_regex(r"\A[\w.-]{1,30}[a-z]\Z"))
def test_any_old_name_gives_a_name_that_reads_back(old: str, config: str) -> None:
    name = published_name(old, config, DIGEST)
    assert digest_in(name) == "01234567"
    if not time_stamp(f"{config}-01234567.pth"):
        assert time_stamp(name) == time_stamp(old)


@pytest.mark.parametrize("digest", ["", "0123456", "0123456Z" * 8, "0" * 65, "../../../x"])
def test_what_is_no_digest_is_refused(digest: str) -> None:
    with pytest.raises(ZooError, match="no SHA-256"):
        published_name("a.pth", "a.py", digest)


@pytest.mark.parametrize("config", ["", "/", "configs/.py"])
def test_a_config_without_a_name_is_refused(config: str) -> None:
    with pytest.raises(ZooError, match="no name"):
        published_name("a.pth", config, DIGEST)


def renaming(old: str, new: str, digest: str = DIGEST) -> Renaming:
    return Renaming(old, new, "b.py", digest)


def test_the_table_is_sorted_and_the_same_in_any_order() -> None:
    rows = [renaming("b.pth", "y.pth"), renaming("a,.pth", "x.pth", "1" * 64)]
    table = renaming_table(rows)
    assert table == renaming_table([*reversed(rows), rows[0]])
    assert list(csv.DictReader(io.StringIO(table))) == [
        {"old_name": "a,.pth", "new_name": "x.pth", "config": "b.py", "digest": "1" * 64},
        {"old_name": "b.pth", "new_name": "y.pth", "config": "b.py", "digest": DIGEST},
    ]


def test_two_successors_or_two_files_of_one_name_are_refused() -> None:
    with pytest.raises(ZooError, match=r"a\.pth: it has two successors, x\.pth and y\.pth"):
        new_names([renaming("a.pth", "x.pth"), renaming("a.pth", "y.pth")])
    with pytest.raises(ZooError, match=r"x\.pth: two different files"):
        renaming_table([renaming("a.pth", "x.pth"), renaming("b.pth", "x.pth", "1" * 64)])
    assert new_names([renaming("a.pth", "x.pth"), renaming("b.pth", "x.pth")]) == {
        "a.pth": "x.pth",
        "b.pth": "x.pth",
    }


@pytest.mark.parametrize("suffix", [".py", ".json", ".yaml", ".yml", ""])
def test_the_suffix_of_a_config_is_no_part_of_its_name(suffix: str) -> None:
    made = published_name("a.pth", f"configs/x-3.2GF{suffix}", DIGEST)
    assert made == f"x-3.2GF-{DIGEST[:8]}.pth"


@pytest.mark.parametrize(("line", "where"), [(None, "a.yml: odd"), (7, "a.yml:7: odd")])
def test_an_error_says_where(line: int | None, where: str) -> None:
    error = ZooError("a.yml", "odd", line=line, hint="Mend it.")
    assert (error.message, error.hint, error.line) == (where, "Mend it.", line)
