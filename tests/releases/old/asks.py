"""Has a name looked up that is on no list, as a constructor does with its settings."""

from mmengine.registry import MODELS

MODELS.get("mmseg.VPD")
