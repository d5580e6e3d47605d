"""The campaign over genuine trainings: one of them, right, and broken before it is verified."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.thorough, pytest.mark.mm]

CAMPAIGNS = Path(__file__).parents[3] / "tools" / "campaigns"
TRAINING = Path(__file__).parents[2] / "resume" / "mask2former_r18.pth"

# Two tensors of one shape are exchanged in each new file.
BREAK = """
import torch
run = variants.run
def broken(*arguments):
    if arguments[0] == "verify":
        content = torch.load(arguments[1])
        state = content["state_dict"]
        first, second = "backbone.layer1.0.conv1.weight", "backbone.layer1.1.conv1.weight"
        state[first], state[second] = state[second], state[first]
        torch.save(content, arguments[1])
    return run(*arguments)
variants.run = broken
"""


@pytest.mark.parametrize("change", ["", BREAK])
def test_one_training(change: str, tmp_path: Path) -> None:
    for name in ("one", "another"):
        (tmp_path / name).mkdir()
        shutil.copy(TRAINING, tmp_path / name / "old.pth")
    facts = tmp_path / "facts.json"
    program = f"import variants, sys\n{change}\nsys.exit(variants.main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), "--only", "one", "--save", str(facts)],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        cwd=CAMPAIGNS,
    )
    found = json.loads(facts.read_text(encoding="utf-8"))
    assert (found["counts"]["resume: converted"], found["counts"]["inference: converted"]) == (1, 1)
    assert done.returncode == bool(change), done.stdout + done.stderr
    assert len(found["wrong"]) == (2 if change else 0), found
    assert found["counts"].get("inference: integrity: fail", 0) == bool(change)
