"""L: legacy files through a whole conversion: nothing in them is checked, so much is recorded."""

from __future__ import annotations

import hashlib
from pathlib import Path

from program import convert
from support.files import write
from support.legacy import KEY, build_legacy, legacy_tensor
from support.streams import ORDERED_DICT, mapping, stream
from toys import KEYS

from mm_ckpt_migrate.errors import ExitCode
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint

WHOLE = build_legacy(
    stream(mapping({"state_dict": mapping(dict.fromkeys(KEYS, legacy_tensor()), ORDERED_DICT)}))
)


def test_l7_a_flipped_bit_passes_and_the_digest_shows_it(tmp_path: Path) -> None:
    """The report and the stamp say which bytes were converted; nothing can say that more."""
    flipped = WHOLE[:-1] + bytes((WHOLE[-1] ^ 1,))
    digests = []
    for name, data in (("a", WHOLE), ("b", flipped)):
        (tmp_path / name).mkdir()
        old = write(tmp_path / name, data)
        done = convert(old, "--json")
        assert done.code == ExitCode.OK
        with Source(old.with_name("new.pth")) as source:
            stamp = open_checkpoint(source).stamp
        assert stamp is not None
        assert stamp["source_sha256"] == done.json["source_digest"]
        digests.append(done.json["source_digest"])
    assert digests == [hashlib.sha256(data).hexdigest() for data in (WHOLE, flipped)]


def test_l9_addresses_are_not_told(tmp_path: Path) -> None:
    old = write(tmp_path, WHOLE)
    for option in ("--json", "--force"):
        done = convert(old, option)
        assert done.code == ExitCode.OK
        assert KEY not in done.out + done.err
