"""Record `_metadata`, the modules and their versions, of real models of the installed release.

    OLD_ENV/bin/python collect_modules.py         (mmseg 1.0.0rc4 with mmdet 3.0.0rc4)
    NEW_ENV/bin/python collect_modules.py         (mmseg 1.2.2 with mmdet 3.3.0)

Each adds its releases to `modules.json.xz` beside this script.
"""

from __future__ import annotations

import json
import lzma
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FILE = HERE / "modules.json.xz"
CONFIGS = {
    "mmseg": (
        "maskformer/maskformer_r50-d32_8xb2-160k_ade20k-512x512.py",
        "mask2former/mask2former_r50_8xb2-160k_ade20k-512x512.py",
        "mask2former/mask2former_swin-l-in22k-384x384-pre_8xb2-160k_ade20k-640x640.py",
    ),
    "mmdet": ("maskformer/maskformer_r50_ms-16xb1-75e_coco.py",),
}
PACKAGES = {"mmseg": "mmsegmentation", "mmdet": "mmdet"}


def modules(scope: str, config: str) -> dict[str, int | None]:
    """Module path to version, of the model that a shipped config builds."""
    from mmengine.config import Config
    from mmengine.registry import init_default_scope

    root = Path(str(import_module(scope).__file__)).parent / ".mim" / "configs"
    model = Config.fromfile(root / config).model
    forget_weights(model)
    init_default_scope(scope)
    built: Any = import_module(f"{scope}.registry").MODELS.build(model)
    return {path: entry.get("version") for path, entry in built.state_dict()._metadata.items()}


def forget_weights(value: Any) -> None:
    if isinstance(value, dict):
        for key in ("init_cfg", "pretrained"):
            value.pop(key, None)
        for item in value.values():
            forget_weights(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            forget_weights(item)


def main() -> None:
    sys.path.insert(0, str(HERE.parent / "golden"))
    import_module("mmcv_ext_stub").install()
    for scope in CONFIGS:
        import_module(f"{scope}.models")
    data = json.loads(lzma.decompress(FILE.read_bytes())) if FILE.exists() else {}
    for scope, configs in CONFIGS.items():
        release = f"{PACKAGES[scope]}-{import_module(scope).__version__}"
        data[release] = {config: modules(scope, config) for config in configs}
        print(release, {c: len(m) for c, m in data[release].items()})
    FILE.write_bytes(lzma.compress(json.dumps(data, separators=(",", ":")).encode(), preset=9))


if __name__ == "__main__":
    main()
