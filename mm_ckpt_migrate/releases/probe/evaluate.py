"""Child only: mmengine's own test loop, with the config's own data loader and evaluator.

This runs in the old release and in the current one, so that the same lines measure both. The
request:

    {"config": LITERAL, "checkpoint": PATH,                     (required)
     "data_root": PATH, "device": "cpu", "workers": 0, "limit": null, "samples": 0,
     "launcher": "none" | "pytorch" | "slurm", "names": {}}

`names` exchanges weights on purpose: key to the key whose weight it gets.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import torch

from mm_ckpt_migrate.releases.probe import evaluate_data, evaluate_model, evaluate_record


def evaluate(
    request: dict[str, Any],
    progress: Callable[[dict[str, Any]], None],
    confine: Callable[[bool], None] = lambda _gpu: None,
) -> dict[str, Any]:
    """Test one checkpoint on one data set.

    Args:
        confine: builds the wall, once everything is imported, and before anything of the config
            is used; told whether a GPU is.

    Returns:
        With `ok`: `metrics` as they are printed, `exact`, `classes`, `images`, `seconds`, ...;
        else `kind` (data, classes, config, missing, weights, crash), `reason` and `hint`.
    """
    try:
        return _evaluate(request, progress, confine)
    except evaluate_data.ProblemError as problem:
        return {"ok": False, "kind": problem.kind, "reason": str(problem), "hint": problem.hint}
    except Exception as error:
        traceback.print_exc(file=sys.__stderr__)
        reason = f"{type(error).__name__}: {str(error).strip() or repr(error)}"
        return {"ok": False, "kind": "crash", "reason": reason, "hint": ""}


def _evaluate(
    request: dict[str, Any], progress: Callable[[dict[str, Any]], None], confine: Callable[[bool], None]
) -> dict[str, Any]:
    evaluate_model.import_stack()
    confine(evaluate_model.device_of(request).type != "cpu")
    threads = torch.get_num_threads()
    config = evaluate_model.read_config(request)
    found = evaluate_data.prepare(config, request.get("data_root"), request.get("limit"))
    runner = evaluate_model.build_runner(config, request)
    evaluate_model.load(runner.model, request["checkpoint"], request.get("names") or {})
    # The launchers and mmengine set this, each release in its own way; sums follow it.
    torch.set_num_threads(threads)
    evaluate_data.check_classes(runner.model, found)
    recorder = evaluate_record.Recorder(request, found, progress)
    recorder.attach(runner)
    started = time.monotonic()
    metrics = runner.test()
    seconds = time.monotonic() - started
    return {
        "ok": True,
        "metrics": {
            key.rpartition("/")[2]: evaluate_record.printed(value)  # a prefix may stand before it
            for key, value in metrics.items()
        },
        "exact": recorder.exact,
        "classes": recorder.classes,
        "images": found.images,
        "all_images": found.all_images,
        "dataset": found.name,
        "seconds": round(seconds, 3),
        "images_per_second": round(found.images / seconds, 3),
        "samples": recorder.samples(),
        "inputs_crc32": recorder.inputs_crc32,
        "varied": recorder.varied,
        "device": str(request.get("device") or "cpu"),
        "threads": threads,
        "versions": evaluate_model.versions(),
    }
