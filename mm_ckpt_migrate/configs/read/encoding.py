"""Config text that is another program for whoever imports it as a file."""

from __future__ import annotations

import re
from typing import Final

from mm_ckpt_migrate.configs.static.budget import UnreadableError

# As CPython's tokenizer does (PEP 263): in a comment of the first line, or of the second where the
# first is blank or a comment. A file's lines end with any of three signs.
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_DECLARED: Final = re.compile(r"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", re.ASCII)
_BLANK: Final = re.compile(r"[ \t\f]*(#.*)?", re.DOTALL)
_PLAIN: Final = re.compile(r"utf-?8(-.*)?|(us-)?ascii")
# Python ends a file's line, or the file, where some of these stand in a string's text.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]|\r(?!\n)")


def check_encoding(text: str) -> None:
    """Look at a config's text, which came as UTF-8, before it is parsed or written.

    A comment may be code under the encoding that it declares, such as `unicode_escape`.

    Raises:
        UnreadableError: it declares another encoding, or holds control characters.
    """
    if found := _CONTROL.search(text):
        raise UnreadableError(f"not parsed as Python: {found[0]!r} stands in it")
    for line in _LINE_END.split(text.removeprefix("\ufeff"), maxsplit=2)[:2]:
        declared = _DECLARED.match(line)
        if declared and not _PLAIN.fullmatch(declared[1].lower().replace("_", "-")):
            raise UnreadableError(f"it declares the encoding {declared[1][:40]!r}, not UTF-8")
        if declared or not _BLANK.fullmatch(line):
            return
