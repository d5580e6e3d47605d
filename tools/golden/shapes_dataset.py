"""A seeded data set of coloured shapes in ADE20K's folder layout: no photograph is involved."""

from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

Image: TypeAlias = npt.NDArray[np.uint8]

# Annotation values as ADE20K writes them: 1 to 150, where 0 means "not labelled".
CLASSES = (1, 2, 3, 4, 5, 10, 13, 21, 37, 84)
HEIGHT, WIDTH = 80, 96
SPLITS = {"training": 24, "validation": 4}


def class_colour(index: int) -> tuple[int, int, int]:
    """One hue for each class, so that there is something to learn in a few iterations."""
    hue = CLASSES.index(index) * 180 // len(CLASSES)
    pixel = cv2.cvtColor(np.array([[[hue, 200, 210]]], np.uint8), cv2.COLOR_HSV2BGR)[0, 0]
    return int(pixel[0]), int(pixel[1]), int(pixel[2])


def draw(rng: np.random.Generator) -> tuple[Image, Image]:
    """One BGR image and its annotation: a background and up to five shapes."""
    count = int(rng.integers(3, 6))
    background, *chosen = (int(c) for c in rng.choice(CLASSES, count + 1, replace=False))
    image = np.full((HEIGHT, WIDTH, 3), class_colour(background), np.uint8)
    labels = np.full((HEIGHT, WIDTH), background, np.uint8)
    for index in chosen:
        outline = shape_outline(rng)
        cv2.fillPoly(image, [outline], class_colour(index))
        cv2.fillPoly(labels, [outline], (index,))
    noise = rng.normal(0, 12, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8), labels


def shape_outline(rng: np.random.Generator) -> npt.NDArray[np.int32]:
    """A triangle, a square, or a polygon of 12 corners, anywhere in the image."""
    corners = int(rng.choice([3, 4, 12]))
    angles = 2 * np.pi * (np.arange(corners) / corners + rng.random())
    centre = rng.random(2) * (WIDTH, HEIGHT)
    points = centre + rng.uniform(12, 26) * np.stack([np.cos(angles), np.sin(angles)], 1)
    return points.astype(np.int32)


def write_dataset(root: Path, seed: int) -> None:
    """Write every split below `root`."""
    rng = np.random.default_rng(seed)
    for split, count in SPLITS.items():
        images, annotations = root / "images" / split, root / "annotations" / split
        images.mkdir(parents=True, exist_ok=True)
        annotations.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            image, labels = draw(rng)
            cv2.imwrite(str(images / f"shapes_{number:04d}.jpg"), image)
            cv2.imwrite(str(annotations / f"shapes_{number:04d}.png"), labels)


def normalised_image(seed: int, size: int) -> npt.NDArray[np.float32]:
    """A further image as the data preprocessor would hand it to the model, 1 x 3 x size x size."""
    image, _ = draw(np.random.default_rng(seed))
    mean, std = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
    rgb = image[:size, :size, ::-1].astype(np.float32)
    scaled = (rgb - np.array(mean, np.float32)) / np.array(std, np.float32)
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])
