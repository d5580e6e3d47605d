"""Makes the one function of `panopticapi`, which is not on PyPI, that mmdet loads data with."""

import sys
from types import ModuleType
from typing import Any


def rgb2id(colour: Any) -> Any:
    """The number of a segment that a pixel's three bytes spell, the lowest first."""
    wide = colour.astype("int32")
    return wide[..., 0] + 256 * wide[..., 1] + 256**2 * wide[..., 2]


def install() -> None:
    """Put it in place."""
    package, utils = ModuleType("panopticapi"), ModuleType("panopticapi.utils")
    utils.rgb2id = rgb2id  # type: ignore[attr-defined]
    package.utils = utils  # type: ignore[attr-defined]
    sys.modules.update({"panopticapi": package, "panopticapi.utils": utils})
