"""Segment an image with mmseg's own ways in, in the current release; prints JSON.

python infer_run.py CHECKPOINT CONFIG [CHECKPOINT CONFIG ...]
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[2] / "tools" / "golden"))

import mmcv_ext_stub

mmcv_ext_stub.install()

import numpy as np  # noqa: E402
from mmseg.apis import MMSegInferencer, inference_model, init_model  # noqa: E402


def segment(checkpoint: str, config: str, image: Any) -> dict[str, Any]:
    """The prediction of a file alone, and of the file with its config."""
    alone = MMSegInferencer(model=None, weights=checkpoint, device="cpu")
    found = np.asarray(alone(image)["predictions"])
    model = init_model(config, checkpoint, device="cpu")
    with_config = inference_model(model, image).pred_sem_seg.data.numpy()[0]
    return {
        "shape": list(found.shape),
        "classes": len(alone.model.dataset_meta["classes"]),
        "alone": hashlib.sha256(found.astype("int64").tobytes()).hexdigest(),
        "with_config": hashlib.sha256(with_config.astype("int64").tobytes()).hexdigest(),
        "same_classes": _classes(alone.model) == _classes(model),
    }


def _classes(model: Any) -> list[str]:
    return list(model.dataset_meta["classes"])


def main() -> None:
    image = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    paths = sys.argv[1:]
    results = {c: segment(c, f, image) for c, f in zip(paths[::2], paths[1::2], strict=True)}
    print("\n" + json.dumps(results))  # noqa: T201


if __name__ == "__main__":
    main()
