"""Run several evaluations in one process, in whichever release this Python has.

    python evaluate_run.py JOBS.json RESULTS.json

A job is a request, and may hold `edits` of its config (dotted names to values), or `text_of`, a
checkpoint whose own config is to be used, or `exchange`, which makes the wrong mapping. Importing
the stack takes longer than a job.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch

from mm_ckpt_migrate.releases.probe import evaluate, evaluate_model


def config_of(job: dict[str, Any], out: Path) -> str:
    """The job's config, edited, as a literal."""
    evaluate_model.import_stack()
    from mmengine.config import Config

    path = Path(job.get("config") or out / "embedded.py")
    if "text_of" in job:
        content = torch.load(job["text_of"], map_location="cpu", weights_only=False)
        path.write_text(content["meta"]["cfg"], encoding="utf-8")
    config = Config.fromfile(str(path))
    config.merge_from_dict(job.get("edits", {}))
    return repr(config._cfg_dict.to_dict())


def exchanged(checkpoint: str) -> dict[str, str]:
    """Every self-attention of a decoder layer gets the weights of the cross-attention, and back."""
    marks = (".self_attn.", ".cross_attn.")
    keys = [key for key in evaluate_model.read_weights(checkpoint) if "transformer_decoder.layers" in key]
    pairs = {key: key.replace(*marks) if marks[0] in key else key.replace(*marks[::-1]) for key in keys}
    return {key: other for key, other in pairs.items() if other != key}


def run(job: dict[str, Any]) -> dict[str, Any]:
    out = Path(job["out"])
    out.mkdir(parents=True)
    events: list[dict[str, Any]] = []
    request = {**job, "config": config_of(job, out)}
    if "exchange" in job:
        request["names"] = exchanged(job["checkpoint"])
    answer = evaluate.evaluate(request, events.append)
    return {**answer, "events": events}


def main() -> None:
    jobs = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    results = {name: run(job) for name, job in jobs.items()}
    Path(sys.argv[2]).write_text(json.dumps(results), encoding="utf-8")


if __name__ == "__main__":
    main()
