"""Put classes that do harm on the list, and print what the settings campaign says of each."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[3] / "tools" / "campaigns"))  # a program of its own

import settings
from settings_cases import Subject
from settings_parts import REGISTRIES

from mm_ckpt_migrate.releases.allowed import classes


class Canary:
    """Does with its setting what no class on the list may do."""

    def __init__(self, act: str, value: Any, lazy_init: bool = False) -> None:
        getattr(self, act)(value)

    def nothing(self, value: Any) -> None:
        pass

    def evaluate(self, value: Any) -> None:
        eval(value)

    def read(self, value: Any) -> None:
        open(value).close()

    def write(self, value: Any) -> None:
        open("/tmp/settings_canary_wrote", "w").close()

    def run(self, value: Any) -> None:
        subprocess.run(["true"], check=False)

    def system(self, value: Any) -> None:
        os.system("true")

    def connect(self, value: Any) -> None:
        socket.create_connection(("127.0.0.1", 9))

    def load(self, value: Any) -> None:
        __import__(value)


def main() -> None:
    settings.prepare()
    Canary.__module__ = "mmseg.canary"
    found = {}
    for kind in ("model", "metric", "dataset"):
        registry = getattr(import_module("mmseg.registry"), REGISTRIES[kind])
        registry.register_module(module=Canary)
        row = classes.Listed("mmseg", kind, "mmseg.canary", (), cleared=True)
        classes.table()["Canary"] = [row]
        found[kind] = {act: accused(kind, act) for act in vars(Canary) if not act.startswith("_")}
    sys.stdout.write(json.dumps(found))


def accused(kind: str, act: str) -> int:
    """How often the campaign does."""
    subject = Subject(
        name="Canary",
        scope="mmseg",
        registry=kind,
        config={"type": "mmseg.Canary", "act": act, "value": "0"},
        settings=("value",),
    )
    tally = settings.Tally("canary")
    settings._try(subject, "value", tally)
    return len(tally.wrong)


if __name__ == "__main__":
    main()
