"""The detectors among the training checkpoints of `tests/resume`."""

from dataclasses import dataclass
from typing import Any, Final, Literal

from mmdet3_cases import SIZES, shipped_config, shrink_model
from mmengine.config import Config
from resume_cases import CLASSES, KEPT, SAVED_AT, SMALL_RESNET, set_loop, set_optimizer
from resume_cases import SIZES as SMALL

DETECTOR_SIZES: Final[dict[str, Any]] = {
    **SIZES,
    **SMALL,
    "num_things_classes": CLASSES,
    "num_stuff_classes": 0,
}
WEIGHTS: Final = DETECTOR_SIZES.pop("class_weight")  # DETR has one number there
MILESTONE: Final = SAVED_AT + 4  # the learning rate falls while training goes on


@dataclass(frozen=True, slots=True)
class DetectorResumeCase:
    """One training checkpoint.

    Attributes:
        shipped: as in `mmdet3_cases`.
        frozen: the frozen stage and the batch norms that learn nothing, both as shipped.
        batch_size: one picture where the old code drops out of (position, picture, channel) and
            the new of (picture, position, channel).
    """

    name: str
    family: Literal["detr", "deformable_detr", "mask2former", "maskformer"]
    shipped: str
    seed: int
    batch_size: int = 1
    frozen: bool = False
    paramwise: bool = True
    ema: bool = False

    @property
    def derived_from(self) -> str:
        path = shipped_config(self.shipped)
        return f"mmdet/.mim/configs/{path.parent.name}/{path.name}"


DETECTORS: Final = {
    case.name: case
    for case in (
        DetectorResumeCase("detr_r18", "detr", "detr/detr_r18_8xb2-500e_coco.py", 61, frozen=True),
        DetectorResumeCase(
            "deformable_detr_r18",
            "deformable_detr",
            "deformable_detr/deformable-detr_r50_16xb2-50e_coco.py",
            62,
        ),
        DetectorResumeCase(
            "mask2former_instance_r18",
            "mask2former",
            "mask2former/mask2former_r50_8xb2-lsj-50e_coco.py",
            63,
            batch_size=2,
        ),
        DetectorResumeCase(
            "deformable_detr_refine_r18",
            "deformable_detr",
            "deformable_detr/deformable-detr_refine_r50_16xb2-50e_coco.py",
            64,
        ),
        DetectorResumeCase(
            "maskformer_panoptic_r18", "maskformer", "maskformer/maskformer_r50_ms-16xb1-75e_coco.py", 65
        ),
    )
}


def build_detector_config(case: DetectorResumeCase) -> Any:
    """The installed release's own config of this case, made small, for training alone."""
    shipped = Config.fromfile(str(shipped_config(case.shipped)))
    cfg = Config({key: value for key, value in shipped.items() if key in KEPT})
    model = cfg.model
    shrink_model(model, DETECTOR_SIZES, SMALL_RESNET)
    model.data_preprocessor.batch_augments = None
    if "panoptic_head" in model:
        model.panoptic_head.loss_cls.class_weight = WEIGHTS
    if not case.frozen:
        model.backbone.frozen_stages = -1
        model.backbone.norm_cfg.requires_grad = True
    schedulers = cfg.param_scheduler
    cfg.param_scheduler = schedulers if isinstance(schedulers, list) else [schedulers]
    cfg.param_scheduler[-1].update(by_epoch=False, milestones=[MILESTONE])
    cfg.log_processor.by_epoch = False
    set_optimizer(cfg, case)
    set_loop(cfg, case)
    return cfg
