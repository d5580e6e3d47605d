"""Train the models of `tests/evaluate` with the old release, and record how it scores them.

    python train_scenes.py OUT_DIR [CASE ...]         (in the old environment)

The Runner trains and publishes (`published_keys`: the weights, and what was said about them); the
product's own measuring script then runs mmengine's test loop, in the old release, on the scenes.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

# The old mmengine predates torch's `weights_only`.
os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"
TESTS = Path(__file__).resolve().parents[2] / "tests"
sys.path.append(str(TESTS / "evaluate"))

import mmcv_ext_stub  # noqa: E402
import torch  # noqa: E402

mmcv_ext_stub.install()

import scenes  # noqa: E402
from old_half import QUERY_GAIN, SCRATCH  # noqa: E402
from record_outputs import versions  # noqa: E402
from train_old import DATA_ROOT  # noqa: E402
from train_scenes_cases import CASES, SceneCase, build_config  # noqa: E402

MEASURE = TESTS / "evaluate" / "evaluate_run.py"


def train(case: SceneCase) -> Path:
    """The real Runner, from a config file; the checkpoint that it published."""
    from mmengine.config import Config
    from mmengine.runner import Runner

    work_dir = Path("work_dirs") / case.name
    shutil.rmtree(work_dir, ignore_errors=True)
    shutil.rmtree(DATA_ROOT, ignore_errors=True)
    scenes.write(DATA_ROOT)
    config_file = Path(f"{case.name}.py")
    build_config(case).dump(config_file)
    runner = Runner.from_cfg(Config.fromfile(str(config_file)))
    with torch.no_grad():
        runner.model.decode_head.query_embed.weight.mul_(QUERY_GAIN)
    runner.train()
    return next(work_dir.glob(f"iter_{case.iterations}-????????.pth"))


def exchanged(checkpoint: Path) -> Path:
    """The control: self- and cross-attention of every decoder layer exchanged."""
    from train_old import exchange_roles

    content = torch.load(checkpoint, map_location="cpu", weights_only=False)
    content["state_dict"] = exchange_roles(content["state_dict"])
    path = checkpoint.with_name("control.pth")
    torch.save(content, path)
    return path


def measured(case: SceneCase, checkpoint: Path) -> dict[str, Any]:
    """What mmengine's test loop says in this release, in a process of its own."""
    out = SCRATCH / "measured"
    shutil.rmtree(out, ignore_errors=True)
    job = {
        "out": str(out),
        "config": f"{case.name}.py",
        "checkpoint": str(checkpoint),
        "data_root": str(DATA_ROOT),
        "device": "cpu",
        "workers": 0,
    }
    asked, answered = Path("jobs.json"), Path("results.json")
    asked.write_text(json.dumps({"job": job}))
    subprocess.run([sys.executable, MEASURE, asked, answered], check=True)
    answer: dict[str, Any] = json.loads(answered.read_text())["job"]
    del answer["events"]
    if not answer["ok"]:
        raise RuntimeError(answer)
    return answer


def make(case: SceneCase, folder: Path) -> None:
    """Train, measure, and keep the checkpoint."""
    trained = train(case)
    facts = {
        "case": case.name,
        "family": case.family,
        "sha256": hashlib.sha256(trained.read_bytes()).hexdigest(),
        "published_as": trained.name,
        "derived_from": f"mmseg/.mim/configs/{case.shipped}",
        "seed": case.seed,
        "iterations": case.iterations,
        "scenes_crc32": scenes.digest(),
        "old_stack": versions(),
        "control_metrics": measured(case, exchanged(trained))["metrics"],
        "result": measured(case, trained),
    }
    shutil.copyfile(trained, folder / f"{case.name}.pth")
    (folder / f"{case.name}.json").write_text(json.dumps(facts, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("cases", nargs="*", metavar="CASE", default=list(CASES))
    args = parser.parse_args()
    folder = args.out_dir.resolve()
    torch.set_num_threads(1)
    from mmseg.utils import register_all_modules

    register_all_modules(init_default_scope=True)
    SCRATCH.mkdir(exist_ok=True)
    os.chdir(SCRATCH)
    for name in args.cases:
        make(CASES[name], folder)


if __name__ == "__main__":
    main()
