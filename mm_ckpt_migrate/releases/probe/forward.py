"""Child only: run a model on one image, and keep what it gives."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

import numpy as np
import torch

from mm_ckpt_migrate.releases.probe import compare, loaded_model, raw_outputs, watch
from mm_ckpt_migrate.releases.probe.outputs import made_image, spread

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
        `about`, `shapes`, `spread` (see `outputs`), `repeats`, `seconds` of one run.
    """
    loaded = models.loaded(request)
    image, stride = _image(request)
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
        "about": _about(request),
        "shapes": {name: list(value.shape) for name, value in found.items()},
        "spread": spread(found),
        "repeats": _repeats(loaded, image, stride, found) if request.get("repeat") else None,
        "seconds": round(seconds, 3),
    }


def _outputs(loaded: Any, image: Any, stride: int) -> dict[str, Any]:
    """The outputs; what draws random numbers draws the same ones each time, in either release."""
    torch.manual_seed(0)
    with loaded_model.running():
        found: dict[str, Any] = raw_outputs.measured(loaded, image, stride)
    return found


def _image(request: dict[str, Any]) -> tuple[Any, int]:
    """The image, and the distance of the pixels that the segmentation is kept on."""
    if not request.get("image"):
        return made_image(int(request["seed"]), request["size"]), raw_outputs.STRIDE
    record = compare.arrays(request["image"])
    image: Any = record.get(IMAGE, np.array(None))
    right = image.ndim == 4 and image.shape[:2] == (1, 3) and image.size
    if not right or image.dtype != np.float32:
        reason = "it has no `image` of 1 x 3 x height x width numbers"
        raise loaded_model.BadRecord(request["image"], reason)
    return image, raw_outputs.stride_of(record)


def _about(request: dict[str, Any]) -> Any:
    """What a recorded image's file says about itself."""
    found = compare.arrays(request["image"]).get(ABOUT) if request.get("image") else None
    if found is None:
        return None
    with contextlib.suppress(ValueError, RecursionError):
        about = json.loads(str(found))
        if isinstance(about, dict):
            return about
    raise loaded_model.BadRecord(request["image"], "its `record` is no JSON object")


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
