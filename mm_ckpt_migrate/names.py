"""State-dict keys as text for people: made safe for a terminal, and folded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

MAX_KEY_BYTES: Final = 1024
STAMP_KEY: Final = "mm_ckpt_migrate"
TIED_KEY: Final = "tied"
# Put before every key by DataParallel and its kin. mmengine takes it off itself, wherever it loads
# a checkpoint (`revise_keys`).
PARALLEL: Final = "module."
_COMPILED: Final = "_orig_mod."
# What a LightningModule calls the model that it trains, as a rule, and an algorithm of mmrazor its
# own. Any other model may call a part of it so: they count only before OpenMMLab's own names.
_OWNERS: Final = ("model.", "architecture.")
_BACKBONE: Final = "backbone."

# Last segments of the buffers' names in all 820 layouts of the shipped configs.
_BUFFERS: Final = re.compile(
    r"running_mean|running_var|num_batches_tracked|relative_position_index|weight_gamma"
    r"|weight_beta|edges|acc_sum|project|cum_samples|laplacian_kernel|bases"
)


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
    found = [""]
    left = [PARALLEL, _COMPILED, *_OWNERS]
    while put := next((w for w in left if _stands_before(found[-1] + w, names)), ""):
        left.remove(put)
        found.append(found[-1] + put)
    return next(prefix for prefix in reversed(found) if _is_wrapper(prefix, names))


def _stands_before(prefix: str, names: Sequence[str]) -> bool:
    return bool(names) and all(name.startswith(prefix) and name != prefix for name in names)


def _is_wrapper(prefix: str, names: Iterable[str]) -> bool:
    if not any(owner in prefix for owner in _OWNERS):
        return True
    return any(name.startswith(prefix + _BACKBONE) for name in names)


def is_prefix(text: str) -> bool:
    """Whether a text is what `prefix_of` may give."""
    return prefix_of([f"{text}{_BACKBONE}weight"]) == text


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


def is_buffer(name: str) -> bool:
    """Whether a key is, by its last segment, that of a buffer rather than a parameter."""
    return _BUFFERS.fullmatch(name.rpartition(".")[2]) is not None
