"""Child only: the raw outputs of a detector's heads.

Where there is a transformer, a quarter of each side of the image is declared to be padding, so
that its masks decide something, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

_PADDED = 4
_BOXES = ("cls_logits", "bbox_preds", "enc_cls_logits", "enc_bbox_preds")


def raw_outputs(model: Any, image: Any) -> dict[str, Any]:
    """Run a detector's heads.

    With queries, the class logits of every decoder layer, and boxes or mask logits; of a two-stage
    transformer also those of the encoder. Without, all that the dense heads give, numbered.

    Raises:
        TypeError: it has no such head.
    """
    features, padded = model.extract_feat(image), _padded(tuple(image.shape[-2:]))
    if getattr(model, "panoptic_head", None) is not None:
        return with_queries(model.panoptic_head, features, padded)
    if hasattr(model, "forward_transformer"):
        return _named(_since_the_refactoring(model, features, padded))
    if hasattr(getattr(model, "bbox_head", None), "transformer"):
        return _named(model.bbox_head(features, [padded]))
    return _dense(model, features)


def with_queries(head: Any, features: Any, about: dict[str, Any]) -> dict[str, Any]:
    """Class and mask logits of every decoder layer."""
    from mmengine.structures import BaseDataElement

    classes, masks = head(features, [BaseDataElement(metainfo=dict(about))])
    return {
        "cls_logits": torch.stack(list(classes)),  # (layers, 1, queries, classes + 1)
        "mask_logits": torch.stack(list(masks)),  # (layers, 1, queries, height / 4, width / 4)
    }


def meta(size: tuple[int, ...], inside: tuple[int, ...]) -> dict[str, Any]:
    """The metainfo of an image for a model; all that is not `inside` is padding."""
    return {"img_shape": inside, "ori_shape": inside, "pad_shape": size, "batch_input_shape": size}


def _padded(size: tuple[int, ...]) -> dict[str, Any]:
    return meta(size, tuple(length - length // _PADDED for length in size))


def _since_the_refactoring(model: Any, features: Any, about: dict[str, Any]) -> tuple[Any, ...]:
    from mmengine.structures import BaseDataElement

    # The encoder's outputs are handed out while training only; the layers inside stay as they are.
    model.training = bool(getattr(model, "as_two_stage", False))
    try:
        found = model.forward_transformer(features, [BaseDataElement(metainfo=about)])
    finally:
        model.training = False
    encoder = [found.pop(name, None) for name in ("enc_outputs_class", "enc_outputs_coord")]
    return (*model.bbox_head(**found), *encoder)


def _named(values: tuple[Any, ...]) -> dict[str, Any]:
    """Old DETR puts each in a list, of one level."""
    single = (value[0] if isinstance(value, list) else value for value in values)
    pairs = zip(_BOXES, single)  # noqa: B905 - `strict` is newer than the oldest Python
    return {name: value for name, value in pairs if value is not None}


def _dense(model: Any, features: Any) -> dict[str, Any]:
    """The one-stage head, which an RPN alone has under another name in older releases."""
    head = getattr(model, "rpn_head", None) or getattr(model, "bbox_head", None)
    if head is None:
        raise TypeError(f"{type(model).__name__} has no head that is known here")
    values = enumerate(_tensors(head(features)))
    return {**{f"head_{number}": value for number, value in values}, **_masks(model, features[0])}


def _masks(model: Any, features: Any) -> dict[str, Any]:
    """YOLACT's prototypes, and the segmentation that helps it learn."""
    head: Any = getattr(model, "mask_head", None)
    if not hasattr(head, "protonet"):
        return {}
    segments = getattr(model, "segm_head", None) or getattr(head, "segm_branch", None)
    found = {"prototypes": head.protonet(features)}
    return found if segments is None else {**found, "segments": segments(features)}


def _tensors(value: Any) -> Iterator[Any]:
    """Flatten the nested lists of a head's outputs, level by level."""
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)
    elif value is not None:
        yield value
