"""Old models that lack something: nothing of them is called fine, but what kept its names."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from layouts.test_every_config import OLDER, diagnosis, pairs
from layouts.test_identify import judge, only
from mm_ckpt_migrate.identify.diagnosis.diagnosis import Finding
from mm_ckpt_migrate.identify.layouts.outline import outline
from mm_ckpt_migrate.identify.layouts.table import load_table
from mm_ckpt_migrate.schema import Schema

TABLE = load_table()


def changed() -> dict[str, tuple[int, int]]:
    """One model of each family and kind of finding, of each release."""
    found: dict[str, tuple[int, int]] = {}
    for release in OLDER:
        for old, new in pairs(release).values():
            if old != new:
                told = diagnosis(old)
                found.setdefault(f"{release} {told.family} {told.finding.value}", (old, new))
    return found


CASES = changed()


def cuts(schema: Schema) -> Iterator[Schema]:
    """Without one of its modules, each module alone, and a few keys at random."""
    deep = sorted({".".join(name.split(".")[:2]) + "." for name in schema.names})
    for part in sorted({name.split(".")[0] + "." for name in schema.names}):
        yield only(schema, lambda name, part=part: not name.startswith(part))
        yield only(schema, lambda name, part=part: name.startswith(part))
    for part in deep[:12]:
        yield only(schema, lambda name, part=part: not f"{name}.".startswith(part))
    draw = random.Random(8)
    for share in (0.1, 0.5, 0.9):
        yield only(schema, lambda name, share=share: draw.random() < share)


@pytest.mark.parametrize("case", CASES)
def test_what_is_left_of_an_old_model(case: str) -> None:
    old, new = CASES[case]
    names = outline(TABLE.schema(new).names)
    for cut in cuts(TABLE.schema(old)):
        if outline(cut.names) <= names:
            continue
        found = judge(cut)
        assert found.finding is not Finding.CURRENT, cut.names[:5]
        assert found.family in (None, diagnosis(old).family) or found.finding is Finding.LOOKALIKE


def test_there_is_one_of_every_family() -> None:
    assert {case.split()[1] for case in CASES} >= {
        "detr",
        "deformable_detr",
        "maskformer",
        "mask2former",
        "rpn",
        "yolact",
        "vit",
    }
