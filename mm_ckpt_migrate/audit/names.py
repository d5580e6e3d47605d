"""Compare the name of a file of weights with the name of the entry's config."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Final

from mm_ckpt_migrate.audit.finding import Check, Finding, about
from mm_ckpt_migrate.zoo.read import Zoo

# Words that mean the same in the names of all releases. Others were respelled too often.
_KINDS: Final[Mapping[str, re.Pattern[str]]] = {
    "depth": re.compile(r"[rxs](?:18|34|50|101|152|200)b?"),
    "width": re.compile(r"hr(?:18s?|32|40|48)"),
    "iterations": re.compile(r"\d+k"),
    "epochs": re.compile(r"\d+e"),
    "schedule": re.compile(r"\d+x"),
    "crop": re.compile(r"\d{3,4}x\d{3,4}"),
}


def check_names_of_weights(zoo: Zoo) -> Iterator[Finding]:
    """Entries whose file is called after another model, or after another training of it."""
    for model in zoo.models:
        if model.file is None or model.config is None:
            continue
        config, file = PurePosixPath(model.config).stem, PurePosixPath(model.file).stem
        for kind, ours, theirs in contradictions(config, file):
            sentence = f"{model.file} says {kind} {theirs}, and its config says {ours}"
            yield about(model, Check.NAMED, sentence)


def contradictions(config: str, file: str) -> Iterator[tuple[str, str, str]]:
    """Kind, the config's words and the file's, where both have words of it, and other ones."""
    ours, theirs = _words(config), _words(file)
    for kind, pattern in _KINDS.items():
        left = {word for word in ours if pattern.fullmatch(word)}
        right = {word for word in theirs if pattern.fullmatch(word)}
        if not left <= right and not right <= left:
            yield kind, " ".join(sorted(left)), " ".join(sorted(right))


def _words(name: str) -> list[str]:
    return re.split("[_-]", name.lower())
