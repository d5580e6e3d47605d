"""The table of the zoos' files, and how an entry is found."""

from __future__ import annotations

import pytest

from mm_ckpt_migrate.zoo.entries import FULL_SETS, ZooEntry, digest_in, entries, old_entry

R50 = "maskformer_r50-d32_8xb2-160k_ade20k-512x512_20221030_182724"
RETRAINED = "detr_r50_8x2_150e_coco_20201130_194835-2c4b8974.pth"


def test_the_table_is_whole() -> None:
    assert len(entries()) == 34
    assert sum(entry.retrained for entry in entries()) == 6
    assert sum("mIoU" in entry.old_metrics for entry in entries()) == 17
    assert len({entry.old_digest for entry in entries()}) == 34


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.old_file)
def test_an_entry_is_found_by_all_that_is_known_of_it(entry: ZooEntry) -> None:
    assert entry.old_metrics
    assert old_entry([f"/some/where/{entry.old_file}"]) is entry
    assert old_entry(["new.pth"], [entry.old_digest.upper() + "0" * 56]) is entry
    found = old_entry([entry.new_file])
    # Weights that were trained anew are other weights: their file has no old metric.
    assert found is (None if entry.retrained else entry)
    assert "mIoU" not in entry.old_metrics or entry.dataset in FULL_SETS


def test_known_numbers() -> None:
    entry = old_entry([f"{R50}-cbd39cc1.pth"])
    assert entry is not None
    assert entry.old_metrics == {"mIoU": 44.29}
    retrained = old_entry([RETRAINED])
    assert retrained is not None
    assert retrained.old_metrics == {"box AP": 40.1}


def test_a_digest_outweighs_a_name() -> None:
    names, other = [f"{R50}-cbd39cc1.pth"], "f" * 64
    assert old_entry(names, [other]) is not None, "a migrated file has its own digest"
    assert old_entry(names, [other, other]) is None, "it was made from another file"
    assert old_entry(["new.pth"], [other, "cbd39cc1" + "0" * 56]) is not None


def test_the_digest_of_a_new_file_counts_where_its_weights_are_the_old_ones() -> None:
    converted, retrained = entries()[0], old_entry([RETRAINED])
    assert retrained is not None
    assert old_entry([], [digest_in(converted.new_file)]) is converted
    assert old_entry([], [digest_in(retrained.new_file)]) is None


@pytest.mark.parametrize("name", ["", "new.pth", f"{R50}.pth", f"{R50}-00000000.pth", "\x00"])
def test_other_names_find_nothing(name: str) -> None:
    assert old_entry([name]) is None
