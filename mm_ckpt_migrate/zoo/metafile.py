"""`ZooModel`: a model that a zoo's metafiles list, with its configs, weights and metrics."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from mm_ckpt_migrate.zoo.yamltree import Item

_MARKS: Final = {"Name", "Config", "Weights"}


@dataclass(frozen=True, slots=True)
class Metric:
    """One number of a model, such as an mIoU of 44.29 on ADE20K."""

    task: str
    dataset: str
    name: str
    value: float


@dataclass(frozen=True, slots=True)
class ZooModel:
    """One entry of a metafile, as it stands there.

    Attributes:
        configs: paths from the zoo's folder; one, as a rule.
        weights: addresses; one, as a rule. A tracker has those of its parts.
        metrics: of all its results, where they are numbers.
        readme: path from the zoo's folder, of the entry or of its collection; or nothing.
        metafile: path from the zoo's folder.
        line: where the entry begins.
    """

    name: str
    configs: tuple[str, ...]
    weights: tuple[str, ...]
    metrics: tuple[Metric, ...]
    readme: str
    metafile: str
    line: int

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the files of weights."""
        return tuple(map(file_name, self.weights))

    @property
    def config(self) -> str | None:
        """Its config, where it has exactly one."""
        return self.configs[0] if len(self.configs) == 1 else None

    @property
    def file(self) -> str | None:
        """The name of its file of weights, where it has exactly one."""
        return self.files[0] if len(self.files) == 1 else None


def file_name(address: str) -> str:
    """The name of the file that an address leads to."""
    return unquote(address.partition("?")[0].rstrip("/").rpartition("/")[2])


def is_metafile(root: Item) -> bool:
    """Whether a YAML file lists models, in either shape that metafiles have."""
    return bool(_models(root))


def models(root: Item, metafile: str) -> Iterator[ZooModel]:
    """The entries of a metafile; what is no mapping is none."""
    readmes = {one["Name"].text: one["README"].text for one in root["Collections"].items}
    for item in _models(root):
        yield _model(item, readmes, metafile)


def _models(root: Item) -> list[Item]:
    """A metafile is a mapping with `Models`, or the list itself."""
    listed = root.items if isinstance(root.value, list) else root["Models"].items
    return [one for one in listed if isinstance(one.value, dict) and _MARKS & one.value.keys()]


def _model(item: Item, readmes: Mapping[str, str], metafile: str) -> ZooModel:
    return ZooModel(
        name=item["Name"].text,
        configs=item["Config"].texts,
        weights=item["Weights"].texts,
        metrics=tuple(metric for result in item["Results"].items for metric in _metrics(result)),
        readme=item["README"].text or readmes.get(item["In Collection"].text, ""),
        metafile=metafile,
        line=item.line,
    )


def _metrics(result: Item) -> Iterator[Metric]:
    for part in result["Metrics"].items:
        for name, item in part.value.items() if isinstance(part.value, dict) else ():
            value = number(item.text)
            if value is not None:
                yield Metric(result["Task"].text, result["Dataset"].text, name, value)


def number(text: str) -> float | None:
    """A finite number as people write it; None for all other text."""
    try:
        value = float(text.strip().rstrip("%"))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
