"""What a file says of who wrote it makes a verdict more careful, and never bolder."""

from __future__ import annotations

from dataclasses import replace

import pytest

from layouts.tables import DET2, DET_NEW, NEW, OLD
from layouts.test_identify import LIBRARY, M2F, TABLE, layout_of
from mm_ckpt_migrate.identify.diagnosis.diagnosis import Diagnosis, Finding
from mm_ckpt_migrate.identify.diagnosis.judge import diagnose
from mm_ckpt_migrate.identify.diagnosis.written import UNSAID, Written, packages_of, stranger
from mm_ckpt_migrate.mapping.rules.lookalikes import Project
from mm_ckpt_migrate.schema import Schema, TensorSpec

RETINA = "retinanet/retinanet_r50_fpn_1x_coco.py"
FINE = (Finding.CURRENT, Finding.CONFIG, Finding.LOADS, Finding.MIGRATE)
PROJECTS = {project.name: project for project in LIBRARY.projects}


def judge(schema: Schema, written: Written = UNSAID) -> Diagnosis:
    return diagnose(schema, LIBRARY, TABLE, (), written)


def meta(**releases: str) -> Written:
    return Written(releases=tuple(releases.items()))


def own(family: str | None) -> Written:
    rules = next((r for r in LIBRARY.families if r.family == family), None)
    packages = packages_of(rules, LIBRARY.projects) if rules else {"mmdet"}
    return Written(scope=min(packages))


@pytest.mark.thorough
@pytest.mark.parametrize("name", PROJECTS)
def test_nothing_that_another_project_wrote_is_fine(name: str) -> None:
    project = PROJECTS[name]
    for layout in range(0, len(TABLE), 7):
        schema = TABLE.schema(layout)
        found = judge(schema, meta(**{project.packages[0]: "1.1"}))
        assert found.finding not in FINE
        assert (found.loads_in, found.goal, found.needs) == ((), None, {})
        assert judge(schema, own(judge(schema).family)) == judge(schema)


@pytest.mark.parametrize(
    ("project", "said"),
    [
        *(
            (project, meta(**{package: "1.1"}))
            for project in LIBRARY.projects
            if project.below is None
            for package in project.packages
        ),
        *((project, Written(model=model)) for project in LIBRARY.projects for model in project.models),
    ],
)
def test_every_package_and_model_of_a_project_names_it(project: Project, said: Written) -> None:
    schema = layout_of(OLD, M2F)
    assert judge(schema).finding is Finding.MIGRATE
    found = judge(schema, said)
    assert (found.finding, found.family) == (Finding.LOOKALIKE, project.name)


@pytest.mark.parametrize("version", ["1.2.0+0f33c08", "1.0rc0", "1.0.0", "0.6.0", "v1.1", "1"])
@pytest.mark.parametrize(
    ("release", "config"),
    [
        (DET_NEW, RETINA),
        (DET2, "fcos/fcos_r50_caffe_fpn_gn-head_1x_coco.py"),
        (DET2, "rpn/rpn_r50_fpn_1x_coco.py"),
    ],
)
def test_mmdet_1_is_named_by_its_version(release: str, config: str, version: str) -> None:
    """One stage has today's names, and RPN those that rules are for."""
    schema = layout_of(release, config)
    assert judge(schema).finding in FINE
    found = judge(schema, meta(mmdet=version))
    assert (found.finding, found.family) == (Finding.LOOKALIKE, "mmdet 1.x")
    assert f"mmdet {version}" in found.advice
    assert "upgrade_model_version.py" in found.advice
    assert "legacy_1.x" in found.advice


@pytest.mark.parametrize("version", ["2.0.0", "2.24.14d38edd", "2.28.2+unknown", "3.3.0", "10.0"])
def test_later_ones_are_what_they_were(version: str) -> None:
    schema = layout_of(DET_NEW, RETINA)
    assert judge(schema, meta(mmdet=version)) == judge(schema)


@pytest.mark.parametrize(
    ("release", "config", "written", "name"),
    [
        (OLD, M2F, Written(scope="mmrotate"), "MMRotate"),
        (OLD, M2F, Written(scope="mmpose"), "MMPose"),
        (OLD, M2F, meta(mmtrack="1.0.0rc1"), "MMTracking"),
        (OLD, M2F, Written(model="TopDown"), "MMPose"),
        (OLD, M2F, Written(scope="mmseg", model="ImageClassifier"), "MMPretrain"),
        (NEW, M2F, Written(scope="mmyolo"), "MMYOLO"),
        (DET_NEW, RETINA, Written(scope="mmrotate", scopes=frozenset({"mmdet"})), "MMRotate"),
        (DET2, "detr/detr_r50_8x2_150e_coco.py", Written(scope="mmseg"), "mmseg"),
        (DET2, "rpn/rpn_r50_fpn_1x_coco.py", meta(mmseg="0.30.0"), "mmseg"),
        (DET2, "rpn/rpn_r50_fpn_1x_coco.py", Written(model="FasterRCNN"), "FasterRCNN"),
        (DET2, "rpn/rpn_r50_fpn_1x_coco.py", Written(model="mmdet.CascadeRCNN"), "CascadeRCNN"),
        (DET2, "detr/detr_r50_8x2_150e_coco.py", Written(model="YOLACT"), "YOLACT"),
        (OLD, M2F, Written(scope="mmseg", model="mmdet.RPN"), "RPN"),
        (OLD, "vit/vit_vit-b16_mln_upernet_8xb2-80k_ade20k-512x512.py", meta(mmdet="2.25.0"), "mmdet"),
    ],
)
def test_who_wrote_it_is_named(release: str, config: str, written: Written, name: str) -> None:
    schema = layout_of(release, config)
    assert judge(schema).finding in FINE
    found = judge(schema, written)
    assert found.finding is Finding.LOOKALIKE
    assert name in str(found.family)
    assert name in found.advice


@pytest.mark.parametrize(
    ("release", "config", "written"),
    [
        # mmdet3d's detectors of images are mmdet's: it writes the versions of all three.
        (DET_NEW, RETINA, meta(mmdet="2.14.0", mmdet3d="0.17.0", mmseg="0.14.1")),
        (DET_NEW, RETINA, Written(scope="mmdet", scopes=frozenset({"mmpretrain"}))),
        (OLD, M2F, Written(scope="mmseg", scopes=frozenset({"mmdet", "mmcls"}))),
        (OLD, M2F, Written(scope="mmdet", model="mmdet.Mask2Former")),
        (DET2, "deformable_detr/deformable_detr_r50_16x2_50e_coco.py", Written(model="DETR")),
        (DET_NEW, "faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py", Written(model="FasterRCNN")),
        (OLD, M2F, Written(scope="my_segmentation", model="MySegmentor")),
        (OLD, M2F, Written(scope="mmrazor")),
        (OLD, M2F, meta(python="3.8", torch="1.9.0")),
    ],
)
def test_what_agrees_changes_nothing(release: str, config: str, written: Written) -> None:
    schema = layout_of(release, config)
    assert judge(schema, written) == judge(schema)


def test_it_makes_nothing_fine() -> None:
    """A file of nobody's stays one, whatever it says."""
    schema = Schema((TensorSpec("some.weight", (2,), "float32"),))
    for written in (meta(mmdet="2.25.0"), Written(scope="mmseg", model="EncoderDecoder")):
        assert judge(schema, written) == judge(schema)
    half = layout_of(OLD, M2F)
    names = (s.name.replace("layers.3.ffns.0.", "layers.3.ffn.") for s in half.tensors)
    mixed = Schema(tuple(TensorSpec(n, s.shape, s.dtype) for n, s in zip(names, half.tensors, strict=True)))
    assert judge(mixed, meta(mmcls="0.25.0")).finding is Finding.CANNOT


def test_a_rule_file_of_ones_own_may_be_for_another_project() -> None:
    rules = next(rules for rules in LIBRARY.families if rules.family == "mask2former")
    for text in ("mmtrack 1.0.0rc1", "our own 1.0"):
        mine = replace(rules, released_from=text, released_to="later")
        assert stranger(meta(mmtrack="1.0.0rc1"), LIBRARY, mine) is None
    assert stranger(meta(mmtrack="1.0.0rc1"), LIBRARY, rules) is not None


def test_parts_that_no_rule_knows() -> None:
    schema = layout_of(OLD, M2F)
    more = TensorSpec("teacher_model.backbone.conv1.weight", (64, 3, 7, 7), "float32")
    found = judge(Schema((*schema.tensors, more)))
    assert (found.finding, found.family, found.unknown) == (Finding.UNKNOWN, "mask2former", (more.name,))
    assert more.name in found.advice
    auxiliary = TensorSpec("auxiliary_head.conv_seg.weight", (150, 256, 1, 1), "float32")
    assert judge(Schema((*schema.tensors, auxiliary))).finding is Finding.MIGRATE


@pytest.mark.mm
def test_no_model_of_mmdet_or_mmsegmentation_is_said_to_be_anothers() -> None:
    """By the registries of the installed release."""
    from mm_ckpt_migrate.releases.current.child.build import import_stack

    import_stack("mmdet", [], ("mmdet", "mmseg", "mmcv", "mmengine"), ())
    import mmseg.models  # noqa: F401
    from mmdet.registry import MODELS as DETECTORS
    from mmengine.model import BaseModel
    from mmseg.registry import MODELS as SEGMENTORS

    # mmseg has backbones that are called as MMSelfSup's whole models are: MAE and BEiT.
    parts = {**DETECTORS.module_dict, **SEGMENTORS.module_dict}
    ours = {name for name, kind in parts.items() if issubclass(kind, BaseModel)}
    assert {"MaskRCNN", "EncoderDecoder"} <= ours
    assert not ours & {model for project in LIBRARY.projects for model in project.models}
