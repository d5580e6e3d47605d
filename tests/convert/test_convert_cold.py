"""What a command imports: torch and the OpenMMLab packages only ever in the child."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from golden_cases import CASES

CASE = CASES["maskformer_swin"]
HEAVY = {"torch", "mmengine", "mmcv", "mmdet", "mmseg", "numpy", "safetensors"}
PROGRAM = """
import json, sys
started = []
def hook(event, args):
    if event == "subprocess.Popen" and "mm_ckpt_migrate.releases.current.child.probe" in str(args):
        started.append(event)
sys.addaudithook(hook)
from mm_ckpt_migrate.cli.main import app
try:
    app(sys.argv[1:])
except SystemExit as end:
    code = end.code
print(json.dumps([code, len(started), sorted(sys.modules)]), file=sys.stderr)
"""


def run(cache: Path, *arguments: str) -> tuple[int, int, set[str]]:
    """Exit code, children that build a model, and imported packages of one command."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"MM_CKPT_MIGRATE_CACHE": str(cache)},
    )
    code, children, modules = json.loads(done.stderr.splitlines()[-1])
    return code, children, {name.partition(".")[0] for name in modules}


@pytest.mark.mm
def test_the_second_conversion_needs_neither_torch_nor_a_child(tmp_path: Path) -> None:
    old = str(CASE.old)
    for number, children in enumerate([1, 0, 0]):
        new = str(tmp_path / f"{number}.pth")
        code, started, modules = run(tmp_path, "convert", "auto", CASE.new_config, old, new)
        assert (code, started) == (0, children)
        assert modules & HEAVY == set()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["convert", "--help"],
        ["rules", "list"],
        ["doctor"],
        ["inspect", str(CASE.old)],
        ["plan", "auto", "-", str(CASE.old), "--no-build"],
        ["convert", "auto", "-", str(CASE.old), "NEW", "--no-build"],
        ["convert", "2", "-", str(CASE.old), "NEW", "--no-build"],
    ],
    ids=" ".join,
)
def test_without_a_build_nothing_heavy_is_imported(arguments: list[str], tmp_path: Path) -> None:
    new = str(tmp_path / "new.pth")
    code, children, modules = run(tmp_path, *[new if a == "NEW" else a for a in arguments])
    assert code == (5 if arguments[:2] == ["convert", "2"] else code if "doctor" in arguments else 0)
    assert children == 0
    assert modules & HEAVY == set()
    assert ("yaml" in modules) == (not {"--help", "doctor"} & set(arguments))


def test_what_is_in_a_checkpoint_is_never_imported(tmp_path: Path) -> None:
    """`HistoryBuffer` is named in every training checkpoint."""
    case = CASES["maskformer_r18_encoder"]
    _, _, modules = run(tmp_path, "inspect", str(case.old))
    assert "mmengine" not in modules
    assert "numpy" not in modules
