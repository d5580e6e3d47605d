"""What the old release computes with the numbers of `tests/two_stage/made_checkpoint.py`.

    OLD_ENV/bin/python tools/golden/record_two_stage.py tests/two_stage

Outputs and losses are those of the product's own measurement.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

TESTS: Final = Path(__file__).resolve().parents[2] / "tests"
sys.path += [str(TESTS / "two_stage"), str(TESTS.parent)]

import mmcv_ext_stub  # noqa: E402

mmcv_ext_stub.install()

import numpy as np  # noqa: E402
import shapes_dataset  # noqa: E402
import torch  # noqa: E402
from made_checkpoint import save  # noqa: E402
from mmdet3_cases import SIZES, shipped_config, shrink_model  # noqa: E402
from mmengine.config import Config  # noqa: E402
from record_outputs import build_model, load_state_dict, outputs_of, versions  # noqa: E402

SHIPPED: Final = "deformable_detr/deformable-detr?refine?twostage_r50_16xb2-50e_coco.py"
WIDTH: Final = 256
WIDE: Final = {**SIZES, "embed_dims": WIDTH, "out_channels": WIDTH, "num_feats": WIDTH // 2}
STEPS: Final = {"steps": 5, "seed": 4000, "size": [64, 96]}


def build_config() -> Any:
    """The installed release's own config, as small as it works, every parameter in one group."""
    shipped = Config.fromfile(str(shipped_config(SHIPPED)))
    shrink_model(shipped.model, WIDE)
    shipped.model.backbone.update(frozen_stages=-1, norm_cfg={"type": "BN", "requires_grad": True})
    shipped.optim_wrapper.pop("paramwise_cfg")
    return Config({key: shipped[key] for key in ("model", "optim_wrapper", "default_scope")})


def losses(config: Path, checkpoint: Path) -> dict[str, Any]:
    """Of the next steps."""
    from mm_ckpt_migrate.releases.probe import resume

    cfg = Config.fromfile(str(config))
    return resume.run(
        {
            "model": repr(cfg.model.to_dict()),
            "scope": "mmdet",
            "imports": [],
            "packages": [],
            "needs": [],
            "checkpoint": str(checkpoint),
            **STEPS,
            "training": repr({"optim_wrapper": cfg.optim_wrapper.to_dict()}),
        }
    )


def record(folder: Path) -> None:
    """Write the names, the config, the outputs and the losses."""
    torch.set_num_threads(1)
    config, checkpoint = Path("/tmp/two_stage.py"), Path("/tmp/two_stage.pth")
    build_config().dump(config)
    tensors = [
        (name, list(value.shape), str(value.dtype))
        for name, value in build_model(config).state_dict().items()
    ]
    save(tensors, config.read_text(), checkpoint)
    drawn = shapes_dataset.normalised_image(seed=171, size=96)
    image = np.ascontiguousarray(drawn[:, :, :64])
    outputs = outputs_of(config, load_state_dict(checkpoint), torch.from_numpy(image))
    np.savez_compressed(folder / "reference.npz", image=image, **outputs)
    facts = {
        "old_stack": versions(),
        "config": config.read_text(),
        "tensors": tensors,
        "steps": STEPS,
        **losses(config, checkpoint),
    }
    (folder / "recorded.json").write_text(json.dumps(facts) + "\n")


if __name__ == "__main__":
    record(Path(sys.argv[1]))
