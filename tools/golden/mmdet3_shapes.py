"""The drawn shapes in COCO's folder layout: boxes, instance masks, and segments for panoptic."""

import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from shapes_dataset import CLASSES, HEIGHT, WIDTH, Image, draw

THINGS, STUFF = 80, 53  # as many as COCO has
# These are things; a region of any other class, mostly a background, is stuff.
THING_CLASSES = CLASSES[:7]
SPLITS = {"train2017": 24, "val2017": 4}


def write_dataset(root: Path, names: Sequence[str], seed: int) -> None:
    """Write every split below `root`. `names`: of the 80 things, and then of the stuff."""
    rng = np.random.default_rng(seed)
    for split, count in SPLITS.items():
        pairs = [draw(rng) for _ in range(count)]
        (root / split).mkdir(parents=True, exist_ok=True)
        segments = root / "annotations" / f"panoptic_{split}"
        segments.mkdir(parents=True, exist_ok=True)
        for number, (image, labels) in enumerate(pairs):
            cv2.imwrite(str(root / split / f"{number:012d}.jpg"), image)
            # OpenCV writes the last channel first, and a segment's number is in its first.
            coloured = np.dstack([np.zeros_like(labels), np.zeros_like(labels), labels])
            cv2.imwrite(str(segments / f"{number:012d}.png"), coloured)
        labels_of = [labels for _, labels in pairs]
        write_json(root, f"instances_{split}", instances(labels_of), names[:THINGS])
        write_json(root, f"panoptic_{split}", panoptic(labels_of), names)


def write_json(root: Path, stem: str, annotations: list[Any], names: Sequence[str]) -> None:
    """An annotation file of one split."""
    count = SPLITS[stem.partition("_")[2]]
    content = {
        "images": [
            {"id": n, "file_name": f"{n:012d}.jpg", "height": HEIGHT, "width": WIDTH} for n in range(count)
        ],
        "annotations": annotations,
        "categories": [
            {"id": number, "name": name, "isthing": int(number <= THINGS)}
            for number, name in enumerate(names, 1)
        ],
    }
    (root / "annotations" / f"{stem}.json").write_text(json.dumps(content))


def instances(pictures: list[Image]) -> list[dict[str, Any]]:
    """One annotation for each thing, with its mask."""
    found = [
        {"image_id": number, **segment(labels == label, category(label)), "iscrowd": 0}
        | {"segmentation": {"size": [HEIGHT, WIDTH], "counts": runs(labels == label)}}
        for number, labels in enumerate(pictures)
        for label in np.unique(labels).tolist()
        if label in THING_CLASSES
    ]
    return [{"id": number, **annotation} for number, annotation in enumerate(found, 1)]


def panoptic(pictures: list[Image]) -> list[dict[str, Any]]:
    """One annotation for each picture: its segments, which the values of its pixels name."""
    return [
        {
            "image_id": number,
            "file_name": f"{number:012d}.png",
            "segments_info": [
                {"id": label, "iscrowd": 0, **segment(labels == label, category(label))}
                for label in np.unique(labels).tolist()
            ],
        }
        for number, labels in enumerate(pictures)
    ]


def category(label: int) -> int:
    """COCO's number: things first, from 1."""
    place = CLASSES.index(label)
    return place + 1 if label in THING_CLASSES else THINGS + 1 + place


def segment(mask: npt.NDArray[np.bool_], number: int) -> dict[str, Any]:
    """Category, box and area of a region."""
    rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    x, y = int(columns[0]), int(rows[0])
    box = [x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y]
    return {"category_id": number, "bbox": box, "area": int(mask.sum())}


def runs(mask: npt.NDArray[np.bool_]) -> list[int]:
    """Lengths of runs, column by column, of what is outside first."""
    pixels = mask.ravel(order="F").tolist()
    found = [(inside, len(list(group))) for inside, group in groupby(pixels)]
    lead = [0] if found[0][0] else []
    return lead + [length for _, length in found]
