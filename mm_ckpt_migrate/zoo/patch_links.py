"""Links to published files in Markdown: the old name in a URL becomes the new one."""

from __future__ import annotations

import re

from mm_ckpt_migrate.zoo.links import NewLinks, Patched, Replacement

# Bounds the scheme, so that a long word is not read again from each of its letters.
_URL = re.compile(r"""[A-Za-z][A-Za-z0-9+.-]{1,15}://(?:[^\s<>"'`|\\()\[\]]|\([^\s<>"'()]*\))+""")
_PUNCTUATION = ".,;:!*_~"


def patch_links(text: str, links: NewLinks) -> Patched:
    """Replace the URLs of old files, in links, in `<a href>` or bare; nothing else changes.

    A name outside a URL, or one that a longer name such as that of a log begins with, stays.
    """
    replaced: list[Replacement] = []
    counted, line = 0, 1

    def line_of(place: int) -> int:
        """Line by line from the last one, for a page may name a file in each of many."""
        nonlocal counted, line
        line += text.count("\n", counted, place)
        counted = place
        return line

    def renew(match: re.Match[str]) -> str:
        url = match[0].rstrip(_PUNCTUATION)
        link = links.find(url)
        if link is None:
            return match[0]
        where = line_of(match.start())
        replaced.append(Replacement(where, "", link.old_name, link.new_name))
        return link.url + match[0][len(url) :]

    return Patched(_URL.sub(renew, text), tuple(replaced))
