"""Put classes that do harm on the list, and print what the settings campaign says of each."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[2] / "campaigns"))

import settings
from settings_cases import Subject

from mm_ckpt_migrate.target import classes


class Canary:
    """Does with its setting what no class on the list may do."""

    def __init__(self, act: str, value: Any) -> None:
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
    from mmseg.registry import MODELS

    Canary.__module__ = "mmseg.canary"
    MODELS.register_module(module=Canary)
    row = classes.Listed("mmseg", "model", "mmseg.canary", (), cleared=True)
    classes.table()["Canary"] = [row]
    found = {}
    for act in [name for name in vars(Canary) if not name.startswith("_")]:
        config = {"type": "mmseg.Canary", "act": act, "value": "0"}
        subject = Subject("Canary", "mmseg", config, ("value",))
        tally = settings.Tally("canary")
        settings._try(subject, "value", tally)
        found[act] = len(tally.wrong)
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
