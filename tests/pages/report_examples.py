"""Reports to look at: a good one, a bad one, a short one, a hostile one, one without numbers."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from pathlib import Path

from mm_ckpt_migrate.pages.data import (
    ClassScore,
    ForwardData,
    MetricData,
    OutputDifference,
    Reference,
    ReportData,
    Sample,
)
from mm_ckpt_migrate.pages.folding import fold_renames
from mm_ckpt_migrate.verdicts import Rung, Verdict, failed, passed, skipped

CLASSES = (
    "wall",
    "building",
    "sky",
    "floor",
    "tree",
    "ceiling",
    "road",
    "bed",
    "windowpane",
    "grass",
    "cabinet",
    "sidewalk",
    "person",
    "earth",
    "door",
    "table",
    "mountain",
    "plant",
    "curtain",
    "chair",
    "car",
    "water",
    "painting",
    "sofa",
    "shelf",
    "house",
)
COMMAND = (
    "mm-ckpt-migrate",
    "verify",
    "work_dirs/new.pth",
    "--cfg",
    "embedded",
    "--source",
    "work_dirs/my run/iter_160000.pth",
    "--legacy",
    "auto",
    "--eval",
    "--data-root",
    "data/ADEChallengeData2016",
    "--report",
    "report",
)
EVIL = "<script>alert('x')</script>\"'&\u202edlo\x1b[31m"


def class_names(count: int = 150) -> list[str]:
    return [*CLASSES, *(f"class {n}" for n in range(len(CLASSES), count))][:count]


def colours(count: int = 150) -> tuple[tuple[int, int, int], ...]:
    chance = random.Random(7)
    return tuple((*chance.choices(range(20, 236), k=3),) for _ in range(count))  # type: ignore[misc]


def renames() -> dict[str, str | None]:
    head = "decode_head.transformer_decoder.layers"
    table: dict[str, str | None] = {"ema_steps": None}
    for layer in range(9):
        stem = f"{head}.{layer}"
        for part in ("in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"):
            table[f"{stem}.attentions.0.attn.{part}"] = f"{stem}.cross_attn.attn.{part}"
            table[f"{stem}.attentions.1.attn.{part}"] = f"{stem}.self_attn.attn.{part}"
        for part in ("weight", "bias"):
            table[f"{stem}.ffns.0.layers.0.0.{part}"] = f"{stem}.ffn.layers.0.0.{part}"
    for layer in range(6):
        old = f"decode_head.pixel_decoder.encoder.layers.{layer}.attentions.0.value_proj.weight"
        table[old] = old.replace("attentions.0", "self_attn")
    return table


def all_rungs() -> tuple[Verdict, ...]:
    return (
        passed(
            Rung.INTEGRITY,
            "481 tensors, each in one place; 902 storages with 176,042,060 bytes equal to the source's",
        ),
        passed(
            Rung.KEYS,
            "torch 2.13.0+cpu loads it strictly; all 731 names, shapes and dtypes are the target model's",
        ),
        passed(
            Rung.ROLES,
            "operation_order of 9 layers agrees with the plan",
            [f"layer {n}: cross_attn, norm, self_attn, norm, ffn, norm" for n in range(9)],
        ),
        passed(
            Rung.FORWARD,
            "raw outputs differ by exactly 0 from those of the old code; with "
            "self- and cross-attention exchanged, by 3.77",
        ),
        skipped(Rung.RESUME, "not run by this command"),
        passed(Rung.METRIC, "mIoU 44.29, with the old release 44.29"),
    )


def forward(shift: float = 0.0) -> ForwardData:
    chance = random.Random(3)
    olds = [chance.gauss(0, 3) for _ in range(2000)]
    return ForwardData(
        differences=(
            OutputDifference("cls_logits", shift, 12.4),
            OutputDifference("mask_logits", shift, 48.1),
            OutputDifference("seg_logits", shift * 1e-4, 0.98),
        ),
        differences64=(
            OutputDifference("cls_logits", 0.0, 12.4),
            OutputDifference("mask_logits", shift * 1e-9, 48.1),
        ),
        control=3.768,
        repeats=True,
        alive=True,
        reaches=not shift,
        tensors=240,
        unseen=tuple(f"decode_head.loss_cls.weight_{n}" for n in "ab"),
        first_module="decode_head.pixel_decoder.encoder.layers.0.self_attn" if shift else None,
        scatter=tuple((v, v + chance.gauss(0, shift)) for v in olds),
        tolerance=1e-5,
        against="mmsegmentation 1.0.0rc4 in an environment of its own, the same input",
    )


def scene(folder: Path, number: int, *, change: int = 0, size: tuple[int, int] = (683, 512)) -> Sample:
    """A photograph-like picture, and labels; the new ones differ in `change` squares."""
    from PIL import Image, ImageDraw

    chance = random.Random(number)
    image = Image.frombytes("RGB", size, chance.randbytes(3 * size[0] * size[1]))
    image = Image.blend(image, Image.radial_gradient("L").resize(size).convert("RGB"), 0.8)
    labels = Image.new("L", size, chance.randrange(12))
    paint, pen = ImageDraw.Draw(image), ImageDraw.Draw(labels)
    for _ in range(14):
        x, y = chance.randrange(size[0]), chance.randrange(size[1])
        box = (x, y, x + chance.randrange(40, 300), y + chance.randrange(40, 250))
        draw = chance.choice(("ellipse", "rectangle"))
        getattr(paint, draw)(box, fill=(*chance.choices(range(256), k=3),))
        getattr(pen, draw)(box, fill=chance.choice((*range(30), 255)))
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number}_{part}.png" for part in ("image", "old", "new")]
    image.save(paths[0])
    labels.save(paths[1])
    for step in range(change):
        x, y = 40 + 37 * step % (size[0] - 60), 30 + 53 * step % (size[1] - 50)
        pen.rectangle((x, y, x + 5 * step, y + 3 * step), fill=3)
    labels.save(paths[2])
    return Sample(f"ADE_val_{number:08}", paths[0], paths[1], paths[2])


def metric(folder: Path, *, samples: int = 2, worse: float = 0.0, classes: int = 150) -> MetricData:
    chance = random.Random(5)
    scores = [
        ClassScore(
            name,
            old := round(chance.uniform(5, 95), 2),
            round(old - (worse * chance.random() if n % 17 == 0 else 0), 2),
        )
        for n, name in enumerate(class_names(classes))
    ]
    scores[-1] = ClassScore(scores[-1].name, math.nan, math.nan)
    old = {"mIoU": 44.29, "mAcc": 57.31, "aAcc": 81.24}
    return MetricData(
        new={**old, "mIoU": round(44.29 - worse, 2)},
        old=old,
        reference=Reference("legacy", "mmsegmentation 1.0.0rc4 on the same images", old),
        tolerance=0.01,
        classes=tuple(scores),
        images=2000,
        of=2000,
        seconds=5421.3,
        samples=tuple(scene(folder, n + 1, change=4 if worse and n % 2 else 0) for n in range(samples)),
        palette=colours(classes),
        dataset="ADE20K, validation",
    )


def good(folder: Path, *, samples: int = 2) -> ReportData:
    return ReportData(
        file="work_dirs/new.pth",
        source="work_dirs/my run/iter_160000.pth",
        config="mask2former_r50_8xb2-160k_ade20k-512x512.py",
        family="mask2former",
        sha256="9e217b401d4db0d5145b0c21d7225fddee807dc19e65d524cfb0b951a4248f6b",
        source_sha256="1f0c6f0b7b7ac7a0a1be1bdf13e4a4e0bd0c7f6de1f7b1f7b0bd9e6e5a2f7c44",
        verdicts=all_rungs(),
        renames=fold_renames(renames()),
        kept=652,
        versions={
            "python": "3.11.7",
            "torch": "2.13.0+cpu",
            "mmengine": "0.10.7",
            "mmcv-lite": "2.1.0",
            "mmdet": "3.3.0",
            "mmsegmentation": "1.2.2",
        },
        old_versions={
            "python": "3.10.13",
            "torch": "2.13.0+cpu",
            "mmengine": "0.7.4",
            "mmcv": "2.0.0rc3",
            "mmdet": "3.0.0rc4",
            "mmsegmentation": "1.0.0rc4",
        },
        forward=forward(),
        metric=metric(folder, samples=samples),
        notices=("22 log buffers became plain dicts of numbers: message_hub.log_scalars",),
        command=COMMAND,
        tool="mm-ckpt-migrate 0.2.0",
    )


def bad(folder: Path) -> ReportData:
    lines = [f"decode_head.layers.{n}.norm.weight: shape (256,), not (512,)" for n in range(130)]
    verdicts = list(all_rungs())
    verdicts[1] = failed(Rung.KEYS, "130 tensors do not fit the target model", lines)
    verdicts[3] = failed(Rung.FORWARD, "outputs differ by 0.31", ["cls_logits: 0.31"])
    verdicts[5] = failed(Rung.METRIC, "mIoU 38.17, with the old release 44.29")
    return replace(
        good(folder),
        verdicts=tuple(verdicts),
        forward=forward(0.31),
        metric=metric(folder, samples=2, worse=6.12),
    )


def short() -> ReportData:
    """Integrity and keys alone: no source's versions, no measurements."""
    return ReportData("new.pth", "maskformer", "0" * 64, all_rungs()[:2])


def hostile(folder: Path) -> ReportData:
    """Every text that a stranger chooses is markup, turns text around, and is no proper Unicode."""
    evil = EVIL + "\udce4"
    base = metric(folder, samples=1, classes=40)
    samples = tuple(replace(sample, name=evil) for sample in base.samples)
    scores = tuple(replace(score, name=f"{evil}{n}") for n, score in enumerate(base.classes))
    return replace(
        good(folder),
        file=f"a/{evil}.pth",
        source=evil,
        config=evil,
        family=evil,
        sha256=evil,
        source_sha256=evil,
        versions={evil: evil},
        old_versions={evil: evil},
        notices=(evil,),
        command=("verify", evil),
        tool=evil,
        made=evil,
        renames=fold_renames({evil: f"{evil}2", f"{evil}3": None}),
        verdicts=tuple(Verdict(v.rung, v.status, evil, (evil, evil)) for v in all_rungs()),
        forward=replace(
            forward(),
            unseen=(evil,),
            first_module=evil,
            against=evil,
            differences=(OutputDifference(evil, 0.0, 1.0),),
        ),
        metric=replace(
            base,
            classes=scores,
            samples=samples,
            dataset=evil,
            new={evil: 1.0},
            old={evil: 1.0},
            reference=Reference("zoo", evil, {evil: 2.0}),
        ),
    )


def odd() -> ReportData:
    """Nothing is a number, and everything that may be absent is."""
    nan, inf = math.nan, math.inf
    return replace(
        short(),
        forward=ForwardData(
            (
                OutputDifference("b", inf, inf),
                OutputDifference("a", nan, nan),
                OutputDifference("c", 0.0, 0.0),
            ),
            differences64=(),
            control=nan,
            scatter=((nan, 1.0), (inf, inf), (-inf, 0.0)),
        ),
        metric=MetricData(
            new={"mIoU": nan, "aAcc": inf},
            old=None,
            reference=Reference("none", "", {}),
            tolerance=0.0,
            classes=(
                ClassScore("both absent", nan, nan),
                ClassScore("gone", 40.0, nan),
                ClassScore("come", nan, 3.0),
                ClassScore("not measured", None, 5.0),
                ClassScore("negative", 1.0, -inf),
            ),
        ),
    )
