"""Child only: answer requests, one JSON object per line, in whichever release is installed.

    {"do": "versions"}
    {"do": "forward", ...}    `forward.run`; a file for the outputs may come along
    {"do": "compare", ...}    `compare.answer`
    {"do": "unseen", ...}     `unseen.answer`
    {"do": "resume", ...}     `resume.run`
    {"do": "evaluate", ...}   `evaluate.evaluate`, with {"progress": ...} lines before its answer

Every answer has `ok`. A failure adds `kind` (`missing` software, a bad `config`, `checkpoint` or
`record`, `unconfined`, or another that `evaluate` gives) and `reason`. All but `versions`, and
`evaluate` for several processes, are done within the wall: see `serve`.
"""

from __future__ import annotations

from typing import Any

from mm_ckpt_migrate.releases.current.child import build
from mm_ckpt_migrate.releases.probe import compare, evaluate, forward, loaded_model, resume, unseen
from mm_ckpt_migrate.releases.probe.serve import Service, Unconfined, failure

_RUNNER = ("mmengine.hooks", "mmengine.runner.log_processor")
"""Modules whose classes mmengine's Runner makes for itself, whatever the config says."""
_LAUNCHED = "--launcher needs a network and processes"


def main(service: Service) -> None:
    """Answer requests until they end."""
    service.run(_Session(service).answer)


class _Session:
    def __init__(self, service: Service) -> None:
        self._service = service
        self._models = loaded_model.Models(service.confine)

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"ok": True, **self._result(request)}
        except Unconfined as error:
            return failure("unconfined", error, bare=True)
        except loaded_model.BadFile as error:
            return failure("checkpoint", error, bare=True)
        except loaded_model.BadRecord as error:
            return {**failure("record", error, bare=True), "path": error.path}
        except (ImportError, AssertionError) as error:  # mmdet refuses releases of mmcv by assert
            return failure("missing", error)
        except Exception as error:
            return failure("config", error)

    def _result(self, request: dict[str, Any]) -> dict[str, Any]:
        what = request["do"]
        if what == "versions":
            return {"versions": loaded_model.versions()}
        if what == "forward":
            return forward.run(request, self._models)
        if what == "compare":
            self._service.confine(request)
            return compare.answer(request)
        if what == "resume":
            return resume.run(request, self._service.confine)
        if what == "unseen":
            return unseen.answer(request, self._models)
        assert what == "evaluate", what
        return self._evaluate(request)

    def _evaluate(self, request: dict[str, Any]) -> dict[str, Any]:
        build.guard_lookups([*request["packages"], *_RUNNER])
        return evaluate.evaluate(
            request,
            lambda event: self._service.send({"progress": event}),
            lambda gpu: self._confine(request, gpu),
        )

    def _confine(self, request: dict[str, Any], gpu: bool) -> None:
        if request["launcher"] != "none":
            self._service.stay_open(request, _LAUNCHED)
        else:
            self._service.confine(request, gpu=gpu, unpickling=True)
