"""Record which older layouts the installed release loads strictly though its names differ.

    OLD_ENV/bin/python collect_loading.py         (mmseg 1.0.0rc4 with mmdet 3.0.0rc4)
    NEW_ENV/bin/python collect_loading.py         (mmseg 1.2.2 with mmdet 3.3.0)

Builds each model whose layout was another one in an older release, and gives it zeros under the
old names. Each run adds its releases to the package's table. Run it after `collect.py`.
"""

from __future__ import annotations

import json
import sys
import zlib
from collections import OrderedDict
from importlib import import_module
from pathlib import Path
from typing import Any

from collect import write
from collect_modules import forget_weights

from mm_ckpt_migrate.identify.layouts.table import LAYOUTS, Table, load_table
from mm_ckpt_migrate.schema import Schema

PACKAGES = {"mmdet": "mmdet", "mmsegmentation": "mmseg"}


def changed(table: Table, release: str) -> dict[int, str]:
    """The layouts that the model of a config of this release had in an older one; the config."""
    package = release.partition("-")[0]
    older = [r for r in list(table.releases) if r.startswith(package)]
    here = table.releases[release]
    found = {}
    for old in older[: older.index(release)]:
        for config, layout in table.releases[old].items():
            counterpart = table.counterparts[old].get(config)
            if counterpart in here and here[counterpart] != layout:
                found[layout] = counterpart
    return found


def build(scope: str, config: str) -> Any:
    from mmengine.config import Config
    from mmengine.registry import init_default_scope

    root = Path(str(import_module(scope).__file__)).parent / ".mim" / "configs"
    model = Config.fromfile(root / config).model
    forget_weights(model)
    init_default_scope(scope)
    return import_module(f"{scope}.registry").MODELS.build(model)


def zeros(schema: Schema) -> OrderedDict[str, Any]:
    """A state dict of zeros, with `_metadata` as a model writes it."""
    import torch

    state: OrderedDict[str, Any] = OrderedDict()
    for spec in schema.tensors:
        state[spec.name] = torch.zeros((), dtype=getattr(torch, spec.dtype)).expand(spec.shape)
    paths = {name[:end] for name in schema.names for end in range(len(name)) if name[end] == "."}
    state._metadata = OrderedDict((path, {"version": 2}) for path in ("", *sorted(paths)))
    return state


def loads(model: Any, state: Any) -> bool:
    import torch

    try:
        torch.nn.Module.load_state_dict(model, state, strict=True)
    except RuntimeError:
        return False
    return True


def main() -> None:
    sys.path.insert(0, str(Path(__file__).parent.parent / "golden"))
    import_module("mmcv_ext_stub").install()
    table = load_table()
    data = json.loads(zlib.decompress(LAYOUTS.read_bytes(), 31))
    for package, scope in PACKAGES.items():
        import_module(f"{scope}.models")
        release = f"{package}-{import_module(scope).__version__}"
        found = [
            layout
            for layout, config in changed(table, release).items()
            if loads(build(scope, config), zeros(table.schema(layout)))
        ]
        data.setdefault("loading", {})[release] = sorted(found)
        print(release, found)
    write(LAYOUTS, data)


if __name__ == "__main__":
    main()
