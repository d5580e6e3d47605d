"""What each check_*.py does in its own environment: complete the folder that a train_*.py made."""

import argparse
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from mmengine.config import Config

Case = TypeVar("Case")

# What a model is built from.
KEPT = ("custom_imports", "default_scope", "model")
# One weight for each class, and a small one for "no object".
CLASS_WEIGHTS = re.compile(r"class_weight=\[((?:\s*1\.0,)+)\s*0\.1,?\s*\]")


def write_config(config: Any, path: Path) -> None:
    """Write what a model is built from, and nothing of data and training."""
    text = Config({key: config[key] for key in KEPT if key in config}).pretty_text
    path.write_text(CLASS_WEIGHTS.sub(_product, text))


def _product(weights: "re.Match[str]") -> str:
    return f"class_weight=[1.0] * {weights[1].count(',')} + [0.1]"


def finish(
    folder: Path, versions: Mapping[str, str], measure: Callable[[Path], Mapping[str, Any]]
) -> dict[str, Any]:
    """Complete case.json with what `measure` says of the checkpoint, and give it."""
    path = folder / "case.json"
    content: dict[str, Any] = json.loads(path.read_text())
    content["new_stack"] = versions
    content.update(measure(folder / content["checkpoint"]))
    path.write_text(json.dumps(content, indent=2) + "\n")
    return content


def main(
    description: str | None,
    cases: Mapping[str, Case],
    versions: Callable[[], Mapping[str, str]],
    build_config: Callable[[Case], Any],
    measure: Callable[[Case, Path, Path], Mapping[str, float]],
) -> None:
    """The command line: write new_config.py and complete case.json, for one case."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("case", choices=cases)
    parser.add_argument("out_dir", type=Path, help="the folder that train_*.py wrote to")
    args = parser.parse_args()
    case, folder = cases[args.case], args.out_dir / args.case
    write_config(build_config(case), folder / "new_config.py")

    def measured(checkpoint: Path) -> dict[str, Any]:
        return {"measured_max_abs_diff": measure(case, folder, checkpoint)}

    content = finish(folder, versions(), measured)
    print(args.case, json.dumps(content["measured_max_abs_diff"]))
