"""Images and predictions as small pictures inside the page."""

from __future__ import annotations

import colorsys
import io
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mm_ckpt_migrate.pages.data import MetricData, Sample
from mm_ckpt_migrate.pages.numbers import share

if TYPE_CHECKING:
    from PIL.Image import Image

Colour = tuple[int, int, int]
_LONGEST: Final = 480  # pixels of the longer side: six images stay below a megabyte
_NO_LABEL: Final = 255
_PAPER, _MARK = (0xEC, 0xEE, 0xF1), (0xC4, 0x00, 0x6E)


@dataclass(frozen=True, slots=True)
class Label:
    """A class that a prediction holds: its share of the pixels, before and after."""

    name: str
    colour: str
    old: str | None
    new: str


@dataclass(frozen=True, slots=True)
class Picture:
    """One sample as the page shows it; images are data URIs.

    Attributes:
        differing: pixels with different labels, counted at full size; None without an old one.
        mask: where they differ; None where no pixel does.
        labels: classes that are present, the largest first.
    """

    name: str
    width: int
    height: int
    image: str
    old: str | None
    new: str
    mask: str | None
    pixels: int
    differing: int | None
    labels: tuple[Label, ...]


def show_sample(sample: Sample, metric: MetricData) -> Picture:
    """The pictures of one sample.

    Raises:
        OSError, ValueError: a file cannot be read, or is no such picture.
    """
    colours = palette(metric.palette)
    new = _labels(sample.new)
    old = None if sample.old is None else _labels(sample.old)
    count, mask = (None, None) if old is None else _difference(old, new)
    width, height = _smaller(new.size)
    return Picture(
        name=sample.name,
        width=width,
        height=height,
        image=_photo(sample.image),
        old=None if old is None else _paint(old, colours),
        new=_paint(new, colours),
        mask=mask,
        pixels=new.width * new.height,
        differing=count,
        labels=_present(old, new, colours, [score.name for score in metric.classes]),
    )


def palette(given: Sequence[Colour]) -> list[Colour]:
    """A colour for each of 256 labels; those that the data set does not name are made up."""
    made = [_made_up(label) for label in range(len(given), _NO_LABEL)]
    return [*given[:_NO_LABEL], *made, (0, 0, 0)]


def hexadecimal(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _made_up(label: int) -> Colour:
    # Steps of the golden ratio keep the hues of neighbours far apart.
    red, green, blue = colorsys.hsv_to_rgb(label * 0.618034 % 1, 0.65, 0.6 + label % 3 * 0.15)
    return int(255 * red), int(255 * green), int(255 * blue)


@contextmanager
def _opened(path: Path, *formats: str) -> Iterator[Image]:
    from PIL import Image

    try:
        with Image.open(path, formats=formats) as image:
            yield image
    except (SyntaxError, Image.DecompressionBombError) as error:
        # What Pillow says of some damaged files, and of pictures beyond all measure.
        raise ValueError(f"{path.name}: {error}") from None


def _labels(path: Path) -> Image:
    from PIL import Image

    with _opened(path, "PNG") as image:
        if image.mode not in ("L", "P"):
            raise ValueError(f"{path.name} has mode {image.mode}, and no 8-bit labels")
        return Image.frombytes("L", image.size, image.tobytes())


def _photo(path: Path) -> str:
    """JPEG, as a PNG of a photograph is ten times as large; nothing is measured on it."""
    from PIL import Image

    with _opened(path, "PNG", "JPEG") as image:
        small = image.convert("RGB").resize(_smaller(image.size), Image.Resampling.LANCZOS)
    return _data_uri(small, "JPEG", quality=82)


def _smaller(size: tuple[int, int]) -> tuple[int, int]:
    factor = min(1.0, _LONGEST / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def _paint(labels: Image, colours: Sequence[Colour]) -> str:
    from PIL import Image

    small = labels.resize(_smaller(labels.size), Image.Resampling.NEAREST)
    return _indexed(small, colours)


def _indexed(labels: Image, colours: Sequence[Colour]) -> str:
    from PIL import Image

    image = Image.frombytes("P", labels.size, labels.tobytes())
    image.putpalette([value for colour in colours for value in colour])
    return _data_uri(image, "PNG", optimize=True)


def _difference(old: Image, new: Image) -> tuple[int, str | None]:
    from PIL import Image, ImageChops, ImageFilter

    if old.size != new.size:
        raise ValueError(f"the predictions have sizes {old.size} and {new.size}")
    differs = ImageChops.difference(old, new).point([0] + [255] * 255)
    count = differs.histogram()[255]
    if not count:
        return 0, None
    # The mean over a box is above zero wherever one pixel is; no difference gets lost.
    small = differs.convert("F").resize(_smaller(old.size), Image.Resampling.BOX)
    marks = small.point(lambda value: value * 255 + 0.5).convert("L").point([0] + [1] * 255)
    return count, _indexed(marks.filter(ImageFilter.MaxFilter(3)), (_PAPER, _MARK))


def _present(
    old: Image | None, new: Image, colours: Sequence[Colour], names: Sequence[str]
) -> tuple[Label, ...]:
    after = new.histogram()
    before = [0] * 256 if old is None else old.histogram()
    found = [label for label in range(256) if before[label] or after[label]]
    whole = new.width * new.height
    return tuple(
        Label(
            _name(label, names),
            hexadecimal(colours[label]),
            None if old is None else share(before[label], whole),
            share(after[label], whole),
        )
        for label in sorted(found, key=lambda label: (-after[label], -before[label], label))
    )


def _name(label: int, names: Sequence[str]) -> str:
    if label < len(names):
        return names[label]
    return "no label" if label == _NO_LABEL else f"label {label}"


def _data_uri(image: Image, kind: str, **options: int | bool) -> str:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return f"data:image/{kind.lower()};base64,{b64encode(stream.getvalue()).decode()}"
