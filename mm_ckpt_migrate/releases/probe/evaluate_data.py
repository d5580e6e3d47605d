"""Child only: check that a data set is there, whole, and the one that the model was trained for.

The headers of all files are read before the first image is computed; labels are checked batch by
batch, as the model gets them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch

INDEX_MODES = ("L", "P", "I", "I;16", "1")
ROTATED = (5, 6, 7, 8)
ORIENTATION = 0x0112


class ProblemError(Exception):
    """A failure of a kind that the parent knows, in one sentence, and perhaps a hint."""

    def __init__(self, kind: str, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.kind = kind
        self.hint = hint


@dataclass(frozen=True)
class Found:
    """The data set that will be tested.

    Attributes:
        name: its class.
        images: how many images are tested, of `all_images`.
        paths: of the images that are tested, in their order.
        shift: what to add to a label to get the value that the annotation has.
    """

    name: str
    classes: tuple[str, ...]
    images: int
    all_images: int
    paths: tuple[str, ...]
    shift: int


def prepare(config: Any, data_root: str | None, limit: int | None) -> Found:
    """Point the config's test set at a folder, and check every file of it.

    Raises:
        ProblemError: it is missing, empty, or not what it should be.
    """
    loader = config.get("test_dataloader")
    if not loader or "dataset" not in loader:
        raise ProblemError("config", "the config has no test_dataloader with a dataset")
    settings = _leaf(loader["dataset"])
    if data_root is not None:
        settings["data_root"] = os.path.abspath(data_root)
    dataset = _built(settings)
    entries = [dataset.get_data_info(index) for index in range(len(dataset))]
    if not entries:
        raise ProblemError("data", f"there is no image *{dataset.img_suffix} in {_folders(dataset)[0]}")
    chosen = entries if limit is None else entries[: max(1, limit)]
    if len(chosen) < len(entries):
        settings["indices"] = len(chosen)
    for entry in chosen:
        _check_files(entry, dataset)
    return Found(
        type(dataset).__name__,
        tuple(map(str, dataset.metainfo.get("classes") or ())),
        len(chosen),
        len(entries),
        tuple(entry["img_path"] for entry in chosen),
        1 if dataset.reduce_zero_label else 0,
    )


def _leaf(settings: Any) -> Any:
    """The data set within wrappers."""
    while "dataset" in settings:
        settings = settings["dataset"]
    if "datasets" in settings:
        raise ProblemError("config", "the config tests several data sets at once; name one of them")
    return settings


def _built(settings: Any) -> Any:
    """Build the data set; its folders are checked before they are listed."""
    registry = import_module("mmseg.registry")
    try:
        dataset = registry.DATASETS.build({**settings, "lazy_init": True, "serialize_data": False})
    except (AssertionError, FileNotFoundError) as error:
        raise ProblemError("data", f"the data set cannot be opened: {_line(error)}") from error
    if not hasattr(dataset, "img_suffix"):
        raise ProblemError("config", f"{type(dataset).__name__} is not a data set of mmsegmentation")
    _check_folders(dataset)
    dataset.full_init()
    return dataset


def _line(error: BaseException) -> str:
    return f"{type(error).__name__} {str(error).strip()}".strip().splitlines()[0]


def _folders(dataset: Any) -> list[str]:
    prefix = dataset.data_prefix
    return [str(prefix[key]) for key in ("img_path", "seg_map_path") if prefix.get(key)]


def _check_folders(dataset: Any) -> None:
    folders = _folders(dataset)
    missing = [folder for folder in folders if _is_local(folder) and not os.path.isdir(folder)]
    if not missing:
        return
    root = str(dataset.data_root or "")
    suffixes = (dataset.img_suffix, dataset.seg_map_suffix)
    expected = [
        os.path.join(os.path.relpath(folder, root) if root else folder, f"*{suffix}")
        for folder, suffix in zip(folders, suffixes)  # noqa: B905  # Python 3.8
    ]
    hint = f"{type(dataset).__name__} expects {' and '.join(expected)} in the data root"
    nearby = _nearby(root, [os.path.relpath(folder, root) for folder in folders] if root else [])
    if nearby:
        hint += f"; {nearby} has them"
    raise ProblemError("data", f"the data set is not there: {missing[0]} is not a folder", hint)


def _nearby(root: str, folders: list[str]) -> str | None:
    """A folder in or above the root that has the layout."""
    candidates = [os.path.dirname(os.path.abspath(root))] if root else []
    if os.path.isdir(root):
        candidates += sorted(entry.path for entry in os.scandir(root) if entry.is_dir())
    fitting = (c for c in candidates if all(os.path.isdir(os.path.join(c, f)) for f in folders))
    return next(fitting, None) if folders else None


def _is_local(path: str) -> bool:
    return "://" not in path and not path.startswith("s3:")


def _check_files(entry: dict[str, Any], dataset: Any) -> None:
    """One image and its annotation, by their headers."""
    image, annotation = entry["img_path"], entry.get("seg_map_path")
    if not _is_local(image):
        return
    if annotation is None:
        raise ProblemError("data", f"{type(dataset).__name__} has no annotations")
    if not os.path.isfile(image):
        raise ProblemError("data", f"the image {image} is not there")
    if not os.path.isfile(annotation):
        raise ProblemError("data", f"{image} has no annotation: {annotation} is not there")
    shape, _ = _header(image)
    annotated, mode = _header(annotation)
    if mode not in INDEX_MODES:
        raise ProblemError(
            "data",
            f"{annotation} is an image in {mode}, where one number for each pixel is expected",
            "take the annotations that hold indices of classes, not colours",
        )
    if shape != annotated:
        sizes = f"{annotated[0]} x {annotated[1]}, its image {shape[0]} x {shape[1]}"
        raise ProblemError("data", f"the annotation {annotation} has {sizes} pixels")


def _header(path: str) -> tuple[tuple[int, int], str]:
    """Size as it is displayed, and Pillow's name of the kind of pixels."""
    image_module = import_module("PIL.Image")
    try:
        with image_module.open(path) as image:
            width, height = image.size
            if image.format == "JPEG" and image.getexif().get(ORIENTATION) in ROTATED:
                width, height = height, width
            return (width, height), image.mode
    except OSError as error:
        raise ProblemError("data", f"{path} cannot be read as an image: {_line(error)}") from error


def check_classes(model: Any, found: Found) -> None:
    """Check that the head has as many classes as the data set.

    Raises:
        ProblemError: it has not.
    """
    head = getattr(model, "decode_head", None)
    head = head[-1] if isinstance(head, torch.nn.ModuleList) else head
    count = getattr(head, "num_classes", None)
    if count is not None and count != len(found.classes):
        raise ProblemError(
            "classes",
            f"the model tells {count} classes apart, {found.name} has {len(found.classes)}",
            "evaluate with the data set that the model was trained for",
        )


def wrong_labels(samples: Any, found: Found, ignored: int) -> Iterator[ProblemError]:
    """Find labels beyond the last class: mmseg's metric would pass over them without a word."""
    for sample in samples:
        labels = sample.gt_sem_seg.data
        present = labels[labels != ignored]
        largest = int(present.max()) if present.numel() else 0
        if largest >= len(found.classes):
            yield ProblemError(
                "classes",
                f"the annotation of {sample.img_path} has the value {largest + found.shift}, but "
                f"the classes of {found.name} end with {len(found.classes) - 1 + found.shift}",
            )
