"""One parser under atheris: `python tools/campaigns/fuzz_one.py NAME [libFuzzer's options] CORPUS`.

`fuzz.py` runs it. Whatever its target raises ends it, and the input is kept.
"""

from __future__ import annotations

import random
import sys

import atheris  # type: ignore[import-untyped, unused-ignore]
from fuzz_seeds import with_right_sums

with atheris.instrument_imports(include=["mm_ckpt_migrate"]):
    from fuzz_targets import TARGETS


def _zip_edit(data: bytes, limit: int, seed: int) -> bytes:
    edited = bytes(atheris.Mutate(data, limit))
    return with_right_sums(edited) if random.Random(seed).random() < 0.8 else edited


def main() -> None:
    name = sys.argv.pop(1)
    more = {"custom_mutator": _zip_edit} if name == "zip" else {}
    atheris.Setup(sys.argv, TARGETS[name], **more)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
