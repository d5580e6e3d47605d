"""Each config of the later families, and the current one of the same model."""

from __future__ import annotations

from dataclasses import dataclass

from layouts.tables import DET2, DET_NEW, DET_OLD, NEW, OLD, layout

from mm_ckpt_migrate.identify.layouts.table import load_table
from mm_ckpt_migrate.mapping.plan import Plan, make_plan
from mm_ckpt_migrate.mapping.rules.detect import Layout, detect
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet
from mm_ckpt_migrate.schema import Schema

Families = dict[str, RuleSet]

SEG2 = "mmsegmentation-0.30.0"
FOLDERS = {
    "detr/": "detr",
    "deformable_detr/": "deformable_detr",
    "yolact/": "yolact",
    "rpn/": "rpn",
    "guided_anchoring/ga_rpn": "rpn",
    "guided_anchoring/ga-rpn": "rpn",
    "vit/": "vit",
    "setr/": "vit",
    "segmenter/": "vit",
    "dpt/": "vit",
}
# mmdet renamed RPN and YOLACT in 3.0.0rc0 already.
OF_DETECTION = {DET2: {"detr", "deformable_detr", "yolact", "rpn"}, DET_OLD: {"detr", "deformable_detr"}}
# Nothing in it has the shape of anything else: it has no control.
NO_NECK = "rpn/rpn_r50_caffe_c4_1x_coco.py"
BIAS = "backbone.patch_embed.projection.bias"


@dataclass(frozen=True)
class Pair:
    """A config of an old release, and the current one of the same model."""

    release: str
    config: str
    family: str
    current: str

    def __str__(self) -> str:
        return f"{self.release}-{self.config.rpartition('/')[2].removesuffix('.py')}"

    @property
    def new_release(self) -> str:
        return DET_NEW if self.release.startswith("mmdet") else NEW

    @property
    def old(self) -> Schema:
        return layout(self.release, self.config)

    @property
    def new(self) -> Schema:
        return layout(self.new_release, self.current)


def family_of_config(config: str) -> str | None:
    return next((family for start, family in FOLDERS.items() if config.startswith(start)), None)


def _pairs() -> list[Pair]:
    return [
        Pair(release, config, family, new)
        for release in (DET2, DET_OLD, SEG2, OLD)
        for config, new in load_table().counterparts[release].items()
        if (family := family_of_config(config)) in OF_DETECTION.get(release, {"vit"}) and family
    ]


PAIRS = _pairs()
RENAMED = [pair for pair in PAIRS if pair.family != "vit"]
VIT = [pair for pair in PAIRS if pair.family == "vit"]
R50 = next(p for p in RENAMED if (p.release, p.family) == (DET2, "detr"))
DEFORMABLE = next(p for p in RENAMED if (p.release, p.family) == (DET2, "deformable_detr"))
YOLACT = next(p for p in RENAMED if p.family == "yolact")


def planned(pair: Pair, families: Families) -> Plan:
    return make_plan(pair.old, families[pair.family])


def found(keys: list[str], families: Families) -> list[tuple[str, Layout]]:
    return [(hit.rules.family, hit.layout) for hit in detect(keys, tuple(families.values()))]
