"""The drawn shapes as a COCO data set: one object for each shape, with its box and its outline."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from shapes_dataset import CLASSES, HEIGHT, WIDTH, Image, class_colour, shape_outline

NAMES = tuple(f"shape_{index}" for index in CLASSES)
PICTURES = 24


def draw(rng: np.random.Generator) -> tuple[Image, list[dict[str, Any]]]:
    """One BGR image, and its shapes as COCO annotates them; a later one lies on top."""
    background, *chosen = (int(c) for c in rng.choice(CLASSES, rng.integers(3, 6), replace=False))
    image = np.full((HEIGHT, WIDTH, 3), class_colour(background), np.uint8)
    objects = []
    for index in chosen:
        outline = np.clip(shape_outline(rng), 0, (WIDTH - 1, HEIGHT - 1))
        cv2.fillPoly(image, [outline.astype(np.int32)], class_colour(index))
        objects.append(annotation(CLASSES.index(index) + 1, outline))
    noise = rng.normal(0, 12, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8), objects


def annotation(category: int, outline: Any) -> dict[str, Any]:
    """One object."""
    low, high = outline.min(0), outline.max(0)
    width, height = (int(length) for length in high - low)
    return {
        "category_id": category,
        "bbox": [int(low[0]), int(low[1]), width, height],
        "area": width * height,
        "iscrowd": 0,
        "segmentation": [[int(value) for value in outline.ravel()]],
    }


def write(root: Path, seed: int) -> None:
    """Pictures and annotations, where COCO's configs look for those to train on."""
    rng = np.random.default_rng(seed)
    pictures, objects = root / "train2017", []
    pictures.mkdir(parents=True, exist_ok=True)
    for number in range(PICTURES):
        image, found = draw(rng)
        cv2.imwrite(str(pictures / f"shapes_{number:04d}.jpg"), image)
        objects += [{**item, "image_id": number} for item in found]
    content = {
        "images": [picture(number) for number in range(PICTURES)],
        "annotations": [{**item, "id": number} for number, item in enumerate(objects, 1)],
        "categories": [{"id": number, "name": name} for number, name in enumerate(NAMES, 1)],
    }
    path = root / "annotations" / "instances_train2017.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))


def picture(number: int) -> dict[str, Any]:
    """What COCO says of a picture."""
    name = f"shapes_{number:04d}.jpg"
    return {"id": number, "file_name": name, "height": HEIGHT, "width": WIDTH}
