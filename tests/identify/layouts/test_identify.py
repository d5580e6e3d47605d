"""Which model it is, where it is not quite a shipped one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

import pytest

from layouts.tables import DET2, DET_NEW, NEW, OLD
from mm_ckpt_migrate.identify.diagnosis.diagnosis import Diagnosis, Finding
from mm_ckpt_migrate.identify.diagnosis.judge import diagnose
from mm_ckpt_migrate.identify.layouts.difference import Difference, difference
from mm_ckpt_migrate.identify.layouts.identify import identify
from mm_ckpt_migrate.identify.layouts.table import load_table
from mm_ckpt_migrate.mapping.rules.library import load_rules
from mm_ckpt_migrate.schema import Schema, TensorSpec

pytestmark = pytest.mark.thorough

TABLE, LIBRARY = load_table(), load_rules()
M2F = "mask2former/mask2former_r50_8xb2-160k_ade20k-512x512.py"
_NUMBERED = re.compile(r"(.*\.(?:layers|blocks|layer\d))\.(\d+)\.")


def layout_of(release: str, config: str) -> Schema:
    return TABLE.schema(TABLE.releases[release][config])


def judge(schema: Schema, *names: str) -> Diagnosis:
    return diagnose(schema, LIBRARY, TABLE, names)


def made_of(specs: Iterable[TensorSpec], like: Schema) -> Schema:
    kept = tuple(specs)
    names = {spec.name for spec in kept}
    ties = (tuple(name for name in group if name in names) for group in like.ties)
    return Schema(kept, None, tuple(group for group in ties if len(group) > 1))


def only(schema: Schema, keep: Callable[[str], bool]) -> Schema:
    return made_of((spec for spec in schema.tensors if keep(spec.name)), schema)


def class_siblings() -> Iterator[tuple[int, Difference]]:
    """Layouts, and how another one differs from each by its number of classes."""
    by_names: dict[tuple[str, ...], list[int]] = {}
    for number in range(len(TABLE)):
        by_names.setdefault(TABLE.schema(number).names, []).append(number)
    for numbers in by_names.values():
        for one, other in pairwise(numbers):
            found = difference(TABLE.schema(one), TABLE.schema(other))
            if found.of_classes and len(found.reshaped) < 20:
                yield other, found


def with_more_classes(schema: Schema, known: Difference) -> Schema:
    """A thousand more, given what another number of classes changes."""
    grown = {r.name: r for r in known.reshaped}
    step = min((abs(r.growth or 0) for r in known.reshaped), default=1)

    def shape(spec: TensorSpec) -> tuple[int, ...]:
        if spec.name not in grown:
            return spec.shape
        each = abs(grown[spec.name].growth or 0) // step
        sides = zip(grown[spec.name].have, spec.shape, strict=True)
        return tuple(size + 1009 * each * (size != other) for other, size in sides)

    specs = (TensorSpec(spec.name, shape(spec), spec.dtype) for spec in schema.tensors)
    return Schema(tuple(specs), None, schema.ties)


def test_a_number_of_classes_that_no_config_has() -> None:
    tried = 0
    for number, known in class_siblings():
        schema = TABLE.schema(number)
        found, shipped = judge(with_more_classes(schema, known)), judge(schema)
        if shipped.finding in (Finding.UNKNOWN, Finding.CANNOT):  # no config with these sizes
            assert found.finding is Finding.CURRENT, number
        else:
            assert (found.finding, found.family) == (shipped.finding, shipped.family), number
        assert found.identity is not None
        assert not found.identity.exact
        assert found.identity.difference.of_classes
        assert {r.name for r in found.identity.difference.reshaped} == {r.name for r in known.reshaped}
        tried += 1
    assert tried > 100


@pytest.mark.parametrize(
    ("release", "config"),
    [
        (OLD, M2F),
        (NEW, M2F),
        (OLD, "segmenter/segmenter_vit-b_mask_8xb1-160k_ade20k-512x512.py"),
        (NEW, "swin/swin-tiny-patch4-window7-in1k-pre_upernet_8xb2-160k_ade20k-512x512.py"),
        (DET2, "detr/detr_r50_8x2_150e_coco.py"),
        (DET2, "deformable_detr/deformable_detr_twostage_refine_r50_16x2_50e_coco.py"),
        (DET2, "mask_rcnn/mask_rcnn_r50_fpn_1x_coco.py"),
        (DET_NEW, "dino/dino-4scale_r50_8xb2-12e_coco.py"),
    ],
)
def test_fewer_layers(release: str, config: str) -> None:
    """The same model with two layers or blocks at most in every row of them."""
    schema = layout_of(release, config)
    shallow = only(schema, lambda name: all(int(n) < 2 for _, n in _NUMBERED.findall(name)))
    assert len(shallow) < 0.9 * len(schema)
    found, shipped = judge(shallow), judge(schema)
    assert (found.finding, found.family) == (shipped.finding, shipped.family)
    assert found.identity is not None
    assert found.identity.difference.explained
    folder = config.partition("/")[0]
    assert folder in {c.partition("/")[0] for cs in found.identity.configs.values() for c in cs}


def test_without_the_counters_of_batch_norm() -> None:
    for number in range(0, len(TABLE), 7):
        schema = TABLE.schema(number)
        bare = only(schema, lambda name: not name.endswith("num_batches_tracked"))
        found, shipped = judge(bare), judge(schema)
        assert (found.finding, found.family) == (shipped.finding, shipped.family), number


def test_half_precision_is_the_same_layout() -> None:
    schema = layout_of(DET_NEW, "retinanet/retinanet_r50_fpn_1x_coco.py")
    specs = (TensorSpec(s.name, s.shape, "float16") for s in schema.tensors)
    found = judge(Schema(tuple(specs)))
    assert found.identity is not None
    assert (found.finding, found.identity.exact) == (Finding.CURRENT, True)


@pytest.mark.parametrize("release", [OLD, NEW])
def test_a_part_of_a_model(release: str) -> None:
    """A backbone alone has the same names in every release."""
    schema = layout_of(release, "pspnet/pspnet_r50-d8_4xb2-40k_cityscapes-512x1024.py")
    found = judge(only(schema, lambda name: name.startswith("backbone.")))
    assert found.finding is Finding.CURRENT
    assert "a part of a model" in found.advice
    without = judge(only(schema, lambda name: not name.startswith("auxiliary_head.")))
    assert without.identity is not None
    assert without.identity.difference.lacking == ("auxiliary_head",)
    assert any("pspnet" in config for config in without.identity.configs[NEW])


def test_ties_tell_what_names_and_shapes_do_not() -> None:
    """Deformable DETR with refinement has heads of its own for each layer, else one head."""
    plain, refined = (
        layout_of(DET2, f"deformable_detr/deformable_detr_{name}r50_16x2_50e_coco.py")
        for name in ("", "refine_")
    )
    assert plain.tensors != ()
    assert set(plain.tensors) == set(refined.tensors)
    for schema, name in ((plain, "deformable-detr_r50"), (refined, "deformable-detr-refine_r50")):
        goal = judge(schema).goal
        assert goal is not None
        assert goal.config.partition("/")[2].startswith(name)


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("atss_r50_fpn_1x_coco_20200209-985f7bd0.pth", "atss/atss_r50_fpn_1x_coco.py"),
        ("paa_r50_fpn_1.5x_coco_20200823-805d6078.pth", "paa/paa_r50_fpn_1.5x_coco.py"),
        ("nonsense.pth", None),
    ],
)
def test_a_name_chooses_among_equal_layouts(name: str, config: str | None) -> None:
    schema = layout_of(DET_NEW, "atss/atss_r50_fpn_1x_coco.py")
    found = identify(schema, TABLE, [name])
    assert found is not None
    assert found.exact
    if config is not None:
        assert (found.release, found.config) == (DET_NEW, config)
    assert len(found.configs[DET_NEW]) > 5


def test_a_name_decides_nothing_else() -> None:
    found = identify(layout_of(DET_NEW, "atss/atss_r50_fpn_1x_coco.py"), TABLE, [M2F[12:]])
    assert found is not None
    assert found.config.partition("/")[0] in {"atss", "paa", "ddod"}
