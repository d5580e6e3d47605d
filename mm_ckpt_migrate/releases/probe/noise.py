"""Child only: images of noise for models to run on, and to train on with made-up annotations."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import torch

_BLOCK = 16
_THINGS = 3


def made_image(seed: int, size: list[int]) -> Any:
    """Values like those of a normalised photograph, coarse and fine: 1 x 3 x height x width."""
    draw = np.random.RandomState(seed)  # its numbers are the same in every release of numpy
    height, width = size
    coarse = draw.standard_normal((3, -(-height // 16), -(-width // 16)))
    smooth = np.kron(coarse, np.ones((1, 16, 16)))[:, :height, :width]
    return (smooth + 0.5 * draw.standard_normal((3, height, width)))[None].astype(np.float32)


def made_batch(network: Any, seed: int, size: list[int]) -> dict[str, Any]:
    """One image: with labels in blocks for a segmentor, with boxes or masks for a detector."""
    random = np.random.RandomState(seed)
    image = random.randint(0, 256, (3, *size)).astype(np.uint8)
    annotate = _segments if hasattr(network, "decode_head") else _instances
    return {"inputs": [torch.from_numpy(image)], "data_samples": [annotate(network, random, size)]}


def _segments(network: Any, random: Any, size: list[int]) -> Any:
    structures = import_module("mmseg.structures")
    sample = structures.SegDataSample(metainfo=_meta(size))
    sample.gt_sem_seg = _pixels(data=_blocks(random, size, 0, network.decode_head.num_classes))
    return sample


def _instances(network: Any, random: Any, size: list[int]) -> Any:
    """A few things; where the head knows stuff, all that is around them is some."""
    head = getattr(network, "panoptic_head", None)
    sample = import_module("mmdet.structures").DetDataSample(metainfo=_meta(size))
    things = int(head.num_things_classes if head is not None else network.bbox_head.num_classes)
    boxes = _boxes(random, size)
    sample.gt_instances = import_module("mmengine.structures").InstanceData(
        bboxes=torch.from_numpy(boxes).float(), labels=torch.from_numpy(random.randint(0, things, _THINGS))
    )
    if head is None and not hasattr(network, "mask_head"):
        return sample
    masks = [_inside(box, size) for box in boxes]
    bitmaps = import_module("mmdet.structures.mask").BitmapMasks
    sample.gt_instances.masks = bitmaps(np.stack(masks), *size)
    if head is not None and head.num_stuff_classes:
        stuff = _blocks(random, size, things, things + head.num_stuff_classes)
        for mask, label in zip(masks, sample.gt_instances.labels):  # noqa: B905
            stuff[:, torch.from_numpy(mask).bool()] = label
        sample.gt_sem_seg = _pixels(sem_seg=stuff)
    return sample


def _meta(size: list[int]) -> dict[str, Any]:
    return dict.fromkeys(("img_shape", "ori_shape"), tuple(size))


def _pixels(**data: Any) -> Any:
    return import_module("mmengine.structures").PixelData(**data)


def _blocks(random: Any, size: list[int], lowest: int, end: int) -> Any:
    """Labels from `lowest` up to `end`, in squares."""
    height, width = size
    blocks = random.randint(lowest, end, (height // _BLOCK + 1, width // _BLOCK + 1))
    labels = np.kron(blocks, np.ones((_BLOCK, _BLOCK), np.int64))[:height, :width]
    return torch.from_numpy(labels.copy())[None]  # (1, height, width)


def _boxes(random: Any, size: list[int]) -> Any:
    """Left, top, right, bottom, each box at least a block wide and high."""
    height, width = size
    corners = random.randint(0, [width - _BLOCK, height - _BLOCK], (_THINGS, 2))
    room = np.array([width, height]) - corners
    extents = _BLOCK + (random.random_sample((_THINGS, 2)) * (room - _BLOCK)).astype(np.int64)
    return np.concatenate([corners, corners + extents], axis=1)


def _inside(box: Any, size: list[int]) -> Any:
    left, top, right, bottom = box
    mask: Any = np.zeros(size, np.uint8)
    mask[top:bottom, left:right] = 1
    return mask
