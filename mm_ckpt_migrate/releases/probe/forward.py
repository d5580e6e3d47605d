"""Child only: run a model on one image, and keep what it gives."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

import numpy as np
import torch

from mm_ckpt_migrate.releases.probe import compare, loaded_model, raw_outputs, watch
from mm_ckpt_migrate.releases.probe.noise import made_image

IMAGE = "image"
ABOUT = "record"


def run(request: dict[str, Any], models: loaded_model.Models) -> dict[str, Any]:
    """Answer a `forward` request.

    Request, besides what `Models.loaded` reads:
        image: `.npz` file with an `image`; else `seed` and `size` make one.
        descriptor: of an `.npz` file to write: image, outputs, and what they are; None for none.
        repeat: run twice, and say whether the second run gave the same bits.
        modules: keep the output of every module, too.
        about: what to write beside the outputs.

    Returns:
        `about`, `shapes`, `spread` (see `_spread`), `repeats`, `seconds` of one run.
    """
    loaded = models.loaded(request)
    record = compare.arrays(request["image"]) if request.get("image") else None
    image, stride = _image(request, record)
    started = time.monotonic()
    if request.get("modules"):
        with watch.watching(loaded) as seen:
            found = _outputs(loaded, image, stride)
    else:
        seen, found = {}, _outputs(loaded, image, stride)
    seconds = time.monotonic() - started
    if request["descriptor"] is not None:
        _save(request, image, found, seen)
    return {
        "about": _about(request, record),
        "shapes": {name: list(value.shape) for name, value in found.items()},
        "spread": _spread(found),
        "repeats": _repeats(loaded, image, stride, found) if request.get("repeat") else None,
        "seconds": round(seconds, 3),
    }


def _outputs(loaded: Any, image: Any, stride: int) -> dict[str, Any]:
    """The outputs; what draws random numbers draws the same ones each time, in either release."""
    torch.manual_seed(0)
    with loaded_model.running():
        found: dict[str, Any] = raw_outputs.measured(loaded, image, stride)
    return found


def _image(request: dict[str, Any], record: dict[str, Any] | None) -> tuple[Any, int]:
    """The image, and the distance of the pixels that the segmentation is kept on."""
    if record is None:
        return made_image(int(request["seed"]), request["size"]), raw_outputs.STRIDE
    image: Any = record.get(IMAGE, np.array(None))
    right = image.ndim == 4 and image.shape[:2] == (1, 3) and image.size
    if not right or image.dtype != np.float32:
        reason = "it has no `image` of 1 x 3 x height x width numbers"
        raise loaded_model.BadRecord(request["image"], reason)
    return image, raw_outputs.stride_of(record)


def _about(request: dict[str, Any], record: dict[str, Any] | None) -> Any:
    """The versions and file name that a record holds, or None."""
    if record is None or ABOUT not in record:
        return None
    with contextlib.suppress(ValueError, RecursionError):
        about = json.loads(str(record[ABOUT]))
        if isinstance(about, dict):
            return about
    raise loaded_model.BadRecord(request["image"], "its `record` is no JSON object")


def _spread(outputs: dict[str, Any]) -> float | None:
    """The largest difference between class logits of queries, relative to their size.

    Zero where all queries have collapsed to one; None where there are none.
    """
    if "cls_logits" not in outputs:
        return None
    last = outputs["cls_logits"][-1].astype(np.float64)  # (1, queries, classes)
    scale = float(np.abs(last).max())
    return float(np.ptp(last, axis=-2).max()) / scale if scale else 0.0


def _repeats(loaded: Any, image: Any, stride: int, found: dict[str, Any]) -> bool:
    again = _outputs(loaded, image, stride)
    return all(again[name].tobytes() == value.tobytes() for name, value in found.items())


def _save(request: dict[str, Any], image: Any, found: dict[str, Any], seen: Any) -> None:
    arrays = {IMAGE: image, **found}
    if seen:
        arrays[watch.NAMES] = np.array(json.dumps(list(seen)))
        arrays[watch.VALUES] = np.stack(list(seen.values()))
    if request.get("about"):
        arrays[ABOUT] = np.array(json.dumps(request["about"]))
    save = np.savez_compressed if request.get("compress") else np.savez
    with open(request["descriptor"], "wb", closefd=False) as file:
        save(file, **arrays)
