"""Files of the model zoos, by name and by digest."""

from __future__ import annotations

import pytest

from mm_ckpt_migrate.identify.diagnosis.download import find_download
from mm_ckpt_migrate.identify.layouts.table import Table
from mm_ckpt_migrate.identify.layouts.weights import zoo_files
from mm_ckpt_migrate.zoo.entries import digest_in, entries

OTHER = "0" * 64
ATSS = "atss_r50_fpn_1x_coco_20200209-985f7bd0.pth"


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.old_file[:40])
def test_every_file_that_the_refactoring_replaced(entry: object, table: Table) -> None:
    found = find_download(entry.old_file, entry.old_digest + "0" * 56, table)
    assert found is not None
    assert found.replaced
    assert (found.current, found.retrained) == ((entry.new_file,), entry.retrained)
    new = find_download(entry.new_file, digest_in(entry.new_file) + "0" * 56, table)
    assert new is not None
    assert not new.replaced
    assert new.release in ("mmdet-3.3.0", "mmsegmentation-1.2.2")


def test_by_its_digest_alone(table: Table) -> None:
    found = find_download("model.pth", "985f7bd0" + "0" * 56, table)
    assert found is not None
    assert (found.name, found.config) == (ATSS, "atss/atss_r50_fpn_1x_coco.py")
    assert not found.replaced


def test_a_name_that_lies(table: Table) -> None:
    assert find_download(ATSS, OTHER, table) is None
    assert find_download("model.pth", OTHER, table) is None


def test_a_name_without_digits(table: Table) -> None:
    name = next(name for name in zoo_files() if not digest_in(name))
    found = find_download(name, OTHER, table)
    assert found is not None
    assert found.name == name


def test_a_file_that_no_zoo_lists_any_more(table: Table) -> None:
    old = next(name for name in zoo_files() if name.startswith("upernet_r18_512x512_40k_voc12aug"))
    found = find_download(old, digest_in(old) + "0" * 56, table)
    assert found is not None
    assert (found.current, found.replaced) == ((), False)
