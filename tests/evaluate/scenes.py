"""A data set of drawn scenes in ADE20K's folder layout, the same pixels on every machine.

Integers alone, from a generator whose stream numpy has frozen, kept without loss. Sky, ground and
a few things on it: 12 of ADE20K's 150 classes, the last among them, and pixels without a label.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np

HEIGHT, WIDTH = 64, 80
SPLITS: Final = {"training": 96, "validation": 16}
# As ADE20K's annotations number them: 1 to 150, where 0 means "not labelled".
COLOURS: Final = {
    "sky": (3, (150, 190, 240)),
    "building": (2, (150, 120, 110)),
    "tree": (5, (40, 100, 40)),
    "road": (7, (110, 110, 115)),
    "grass": (10, (110, 170, 60)),
    "person": (13, (220, 60, 140)),
    "mountain": (17, (130, 130, 170)),
    "car": (21, (210, 40, 40)),
    "water": (22, (50, 90, 190)),
    "house": (26, (220, 190, 130)),
    "boat": (77, (120, 60, 20)),
    "flag": (150, (250, 220, 30)),
}
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH]


class Canvas:
    """One RGB image and its annotation."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.RandomState(seed)
        self.image = np.zeros((HEIGHT, WIDTH, 3), np.int64)
        self.labels = np.zeros((HEIGHT, WIDTH), np.uint8)

    def number(self, low: int, high: int) -> int:
        return int(self.random.randint(low, high))

    def paint(self, name: str, where: Any) -> None:
        """Fill a mask with a class and its colour, a little lighter or darker each time."""
        value, colour = COLOURS[name]
        self.image[where] = np.array(colour) + self.number(-20, 21)
        self.labels[where] = value

    def finish(self) -> tuple[Any, Any]:
        """With noise, and pixels that nobody labelled."""
        noise = self.random.randint(-18, 19, self.image.shape)
        row, column = self.number(0, HEIGHT - 4), self.number(0, WIDTH - 4)
        self.labels[row : row + 4, column : column + 4] = 0
        return np.clip(self.image + noise, 0, 255).astype(np.uint8), self.labels


def box(top: int, left: int, height: int, width: int) -> Any:
    inside = (top <= ROWS) & (top + height > ROWS)
    return inside & (left <= COLUMNS) & (left + width > COLUMNS)


def disc(row: int, column: int, radius: int) -> Any:
    return (ROWS - row) ** 2 + (COLUMNS - column) ** 2 <= radius**2


def peak(base: int, column: int, height: int, slope: int = 1) -> Any:
    """A triangle standing on a row."""
    return (base > ROWS) & (abs(COLUMNS - column) * slope < height - (base - ROWS))


def draw(seed: int) -> tuple[Any, Any]:
    """An RGB image and its annotation."""
    canvas = Canvas(seed)
    horizon = canvas.number(24, 40)
    ground = ("road", "grass", "water")[canvas.number(0, 3)]
    canvas.paint("sky", horizon > ROWS)
    if canvas.number(0, 2):
        canvas.paint("mountain", peak(horizon, canvas.number(0, WIDTH), canvas.number(12, 24)))
    canvas.paint(ground, horizon <= ROWS)
    for _ in range(canvas.number(2, 4)):
        _put_thing(canvas, horizon, ground)
    return canvas.finish()


def _put_thing(canvas: Canvas, horizon: int, ground: str) -> None:
    dry = ("building", "tree", "person", "car", "house", "flag")
    name = "boat" if ground == "water" else dry[canvas.number(0, len(dry))]
    left, foot = canvas.number(2, WIDTH - 18), min(HEIGHT - 2, horizon + canvas.number(4, 20))
    if name == "building":
        canvas.paint(name, box(foot - 34, left, 34, canvas.number(12, 20)))
    elif name == "house":
        size = canvas.number(12, 18)
        canvas.paint(name, box(foot - size, left, size, size))
        canvas.paint(name, peak(foot - size, left + size // 2, size // 2 + 2))
    elif name == "tree":
        crown = disc(foot - 16, left + 6, canvas.number(6, 10))
        canvas.paint(name, crown | box(foot - 12, left + 5, 12, 3))
    elif name == "person":
        canvas.paint(name, box(foot - 12, left, 12, 6) | disc(foot - 14, left + 2, 3))
    elif name in ("car", "boat"):
        canvas.paint(name, box(foot - 8, left, 8, 18) | box(foot - 13, left + 4, 6, 9))
    else:
        canvas.paint(name, box(foot - 26, left, 26, 2) | box(foot - 26, left, 10, 14))


def write(root: Path, splits: dict[str, int] | None = None) -> None:
    """Draw the splits below `root`."""
    from PIL import Image

    first = 0
    for split, count in SPLITS.items():
        images, annotations = root / "images" / split, root / "annotations" / split
        for number in range((splits or SPLITS).get(split, 0)):
            images.mkdir(parents=True, exist_ok=True)
            annotations.mkdir(parents=True, exist_ok=True)
            image, labels = draw(first + number)
            name = f"scene_{number:04d}.png"
            Image.fromarray(image).save(images / name)
            Image.fromarray(labels).save(annotations / name)
        first += count


def digest() -> int:
    """CRC-32 of the validation split's pixels and labels."""
    crc, first = 0, SPLITS["training"]
    for number in range(SPLITS["validation"]):
        for array in draw(first + number):
            crc = zlib.crc32(array.tobytes(), crc)
    return crc
