"""Make folders of checkpoints, run batches on them, and read what came of it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "golden"
STATE = ".mm-ckpt-migrate"

# Golden checkpoint and its place in the zoo.
MIGRATED = {
    "detr_r18": "detr/old.pth",
    "maskformer_r18": "seg/maskformer.pth",
    "mask2former_swin": "seg/mask2former_swin-w8_shapes-64x64_20261123_042637-f833cdc7.pth",
    "rpn_r18": "rpn/a b\n.pth",
    "yolact_r18": "yolact.pth",
    "detr_g1_r18": "detr/g1.pth",
}
COPIED = {"vit_upernet": "vit/old.pth"}
REFUSED = {
    "broken/cut.pth": "cut short",
    "broken/page.pth": "HTML",
    "broken/empty.pth": "empty",
    "foreign.pth": "No family",
    "lookalike.pth": "",
}


def golden_path(name: str) -> Path:
    (found,) = (GOLDEN / name).glob("*.pth")
    return found


def make_zoo(folder: Path) -> Path:
    """Every kind: to migrate, to copy, broken, foreign, a look-alike."""
    for name, place in {**MIGRATED, **COPIED}.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(golden_path(name), folder / place)
    broken = folder / "broken"
    broken.mkdir()
    (broken / "cut.pth").write_bytes(golden_path("detr_r18").read_bytes()[:-100])
    (broken / "page.pth").write_text("<html>not found</html>")
    (broken / "empty.pth").touch()
    save(folder / "foreign.pth", {"some.weight": (3, 4), "some.bias": (4,)})
    save(folder / "lookalike.pth", LOOKALIKE)
    (folder / "notes.txt").write_text("no checkpoint")
    (folder / ".hidden.pth").write_text("not meant")
    return folder


LOOKALIKE = {
    f"pts_bbox_head.transformer.{part}.layers.0.attentions.{number}.{name}": (4, 4)
    for part in ("encoder", "decoder")
    for number in (0, 1)
    for name in ("sampling_offsets.weight", "value_proj.weight")
}


def save(path: Path, shapes: dict[str, tuple[int, ...]], extra: bytes = b"") -> None:
    """A checkpoint of zeros as safetensors, which needs no torch."""
    header: dict[str, Any] = {}
    size = 0
    for name, shape in shapes.items():
        count = 4
        for side in shape:
            count *= side
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [size, size + count]}
        size += count
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(size) + extra)


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "mm_ckpt_migrate", "batch", *map(str, arguments)]


def batch(*arguments: str | Path, **kwargs: Any) -> subprocess.CompletedProcess[str]:
    """`mm-ckpt-migrate batch ARGUMENTS --no-build`."""
    return subprocess.run(
        command(*arguments, "--no-build"), capture_output=True, text=True, timeout=120, check=False, **kwargs
    )


def entries(results: Path) -> dict[str, dict[str, Any]]:
    """The report's, by source; each once."""
    report = json.loads((results / "batch.json").read_text())
    found = {entry["source"]: entry for entry in report["entries"]}
    assert len(found) == len(report["entries"]) == report["inputs"]
    return found


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder but those of the batch's state."""
    found = {}
    for here, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != STATE]
        for name in names:
            path = Path(here) / name
            found[str(path.relative_to(folder))] = digest(path)
    return found


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
