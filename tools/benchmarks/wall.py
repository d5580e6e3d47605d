"""Time the wall: what a child takes to build it, by its own clock, with the whole stack imported.

python tools/benchmarks/wall.py [--rounds 10]
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

from mm_ckpt_migrate.configs.read.config import read_config
from mm_ckpt_migrate.releases.allowed.request import make_request
from mm_ckpt_migrate.releases.child import Child

CONFIG = Path(__file__).parents[2] / "tests" / "golden" / "mask2former_r18" / "new_config.py"
SECONDS = 300.0


def milliseconds() -> tuple[str, float]:
    """What a child that builds Mask2Former says of its wall."""
    settings = read_config(CONFIG)["model"]
    assert isinstance(settings, dict)
    model = make_request(settings, "mmseg", source=CONFIG)
    child = Child({"memory": 16 << 30, "file": 64 << 20, "fast": True})
    try:
        child.send(
            {
                "do": "build",
                "model": model.model,
                "scope": model.scope,
                "imports": model.imports,
                "packages": model.packages,
                "needs": model.needs,
                "confined": True,
            }
        )
        answer = child.receive(SECONDS)
    finally:
        child.close()
    if not answer["ok"]:
        raise SystemExit(answer["reason"])
    return answer["wall"]["kind"], answer["wall"]["milliseconds"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=10)
    found = [milliseconds() for _ in range(parser.parse_args().rounds)]
    took = [number for _, number in found]
    print(
        f"{found[0][0]}: {statistics.median(took):.1f} ms ({min(took):.1f} to {max(took):.1f}), "
        f"{len(took)} rounds, goal 50"
    )


if __name__ == "__main__":
    main()
