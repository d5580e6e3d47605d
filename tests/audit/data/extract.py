"""Cut the metafiles of a release down to what the tests need; see README.md."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import yaml

FOLDERS = ("deformable_detr", "detr", "mask2former", "maskformer", "yolact", "retinanet")
FIELDS = ("Name", "Config", "Weights")
HERE = Path(__file__).parent


def entries(package: Path) -> dict[str, list[dict[str, str]]]:
    found = {}
    for folder in FOLDERS:
        name = f"configs/{folder}/metafile.yml"
        data = yaml.safe_load((package / ".mim" / name).read_text(encoding="utf-8"))
        found[name] = [{field: model[field] for field in FIELDS} for model in data["Models"]]
    return found


def main() -> None:
    for argument in sys.argv[1:]:
        release, folder = argument.split("=", 1)
        text = json.dumps(entries(Path(folder)), indent=1)
        (HERE / f"{release}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
