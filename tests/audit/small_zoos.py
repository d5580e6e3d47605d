"""Small zoos on disk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mm_ckpt_migrate.audit.finding import Audit, Finding
from mm_ckpt_migrate.audit.run import audit
from mm_ckpt_migrate.mapping.rules.library import Library

CONFIG = "model = dict(type='EncoderDecoder', backbone=dict(type='ResNet', depth=50))\n"
METAFILE = "configs/x/metafile.yml"


def entry(config: str, file: str | Sequence[str] = (), **more: Any) -> dict[str, Any]:
    """An entry called after its config, as in genuine metafiles."""
    files = [file] if isinstance(file, str) else file
    weights = [f"https://host/x/{name}" for name in files]
    return {"Name": Path(config).stem, "Config": config, "Weights": weights, **more}


class MakeZoo:
    """Writes a zoo and audits it."""

    def __init__(self, root: Path, library: Library) -> None:
        self.root = root
        self.library = library

    def put(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def models(self, *entries: dict[str, Any], metafile: str = METAFILE) -> None:
        """A metafile, and the configs that are not there yet. JSON is YAML."""
        self.put(metafile, json.dumps({"Models": entries}, indent=1))
        self.put("model-index.yml", json.dumps({"Import": [metafile]}))
        for model in entries:
            for name in [model["Config"]] if isinstance(model["Config"], str) else []:
                if name and ".." not in name and not (self.root / name).exists():
                    self.put(name, CONFIG)

    def audit(self, **options: Any) -> Audit:
        return audit(self.root, self.library, **options)

    def findings(self, check: str | None = None, **options: Any) -> list[Finding]:
        found = self.audit(**options).findings
        return [one for one in found if check in (None, one.check.label)]
