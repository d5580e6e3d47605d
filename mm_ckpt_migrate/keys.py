"""State-dict keys as text for people: made safe for a terminal, and folded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

MAX_KEY_BYTES: Final = 1024
STAMP_KEY: Final = "mm_ckpt_migrate"
TIED_KEY: Final = "tied"
# Put before every key by DataParallel and its kin, and by torch.compile; or by one around the
# other. mmengine takes the first off itself, wherever it loads a checkpoint (`revise_keys`).
PARALLEL: Final = "module."
_COMPILED: Final = "_orig_mod."
PREFIXES: Final = (PARALLEL + _COMPILED, _COMPILED + PARALLEL, PARALLEL, _COMPILED)


def key_fault(key: str) -> str | None:
    """Why a key cannot be one of a genuine state dict, or None."""
    if not key:
        return "is empty"
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        return "holds half of a surrogate pair"
    if size > MAX_KEY_BYTES:
        return f"is longer than {MAX_KEY_BYTES} bytes"
    return None if key.isprintable() else "holds control characters"


def prefix_of(names: Sequence[str]) -> str:
    """What wrappers of the model put before every one of its keys, each wrapper's once; or ""."""
    found = (p for p in PREFIXES if all(name.startswith(p) and name != p for name in names))
    return next(found, "") if names else ""


def safe_text(text: str, limit: int = 200) -> str:
    """Text from a file, with everything escaped that a terminal would act on."""
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[:limit])
    return shown + ("…" if len(text) > limit else "")


def fold(keys: Iterable[str]) -> list[str]:
    """One line per group of keys that differ in their numbers alone: `layers.{0…8}.norm.weight`."""
    groups: dict[tuple[str, ...], list[list[int]]] = {}
    for key in keys:
        parts = re.split(r"(?<![^.])(\d+)(?![^.])", key)
        groups.setdefault(tuple(parts[::2]), []).append([int(n) for n in parts[1::2]])
    return [_fold_group(texts, numbers) for texts, numbers in groups.items()]


def _fold_group(texts: tuple[str, ...], numbers: list[list[int]]) -> str:
    line = texts[0]
    for column, text in zip(zip(*numbers, strict=True), texts[1:], strict=True):
        line += _fold_numbers(sorted(set(column))) + text
    return line


def _fold_numbers(numbers: list[int]) -> str:
    if len(numbers) == 1:
        return str(numbers[0])
    if numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{{{numbers[0]}…{numbers[-1]}}}"
    return "{" + ",".join(map(str, numbers)) + "}"
