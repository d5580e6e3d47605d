"""Links in Markdown: an old name at the end of a URL changes, and not a letter more."""

from __future__ import annotations

import time
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mm_ckpt_migrate.zoo.links import Base, NewLinks
from mm_ckpt_migrate.zoo.patch_links import patch_links

OLD, NEW = "m_8x2_20221204_143905-ab263c11.pth", "m_8xb2_20221204_143905-e715144e.pth"
URL = f"https://download.example.com/v0.5/m/{OLD}"
LINKS = NewLinks({OLD: NEW})
ROW = (
    "| Mask2Former | Swin-S  | 49.36 | [config](https://github.com/o/r/blob/main/m_8x2.py) |"
    " [model]({url}) \\| [log](https://download.example.com/m_20221204_143905.log.json) |\r\n"
)


@pytest.mark.parametrize(
    "text",
    [
        ROW,
        "[model]({url})",
        '[model]({url} "the weights")',
        "[model](<{url}>)",
        "<a href=\"{url}\">model</a> &#124; <a href='https://x.org/a.json'>log</a>",
        "<{url}>",
        "{url}",
        "See {url}.",
        "It is at **{url}**, and **there**.",
        "wget {url} -O old.pth\n",
        "| {url} | {url}|",
        "[model]: {url}\n",
        "`{url}`",
        "[model]({url}?versionId=3#top)",
        "([model]({url}))",
        "模型：{url}\n",
    ],
)
def test_each_way_to_link(text: str) -> None:
    patched = patch_links(text.replace("{url}", URL), LINKS)
    assert patched.text == text.replace("{url}", URL.replace(OLD, NEW))
    assert len(patched.replaced) == text.count("{url}")


@pytest.mark.parametrize(
    "text",
    [
        OLD,
        f"The file {OLD} is gone.",
        f"python test.py m.py checkpoints/{OLD}",
        f"{URL}.md5",
        f"{URL}.log.json",
        f"{URL}/",
        f"{URL}/readme",
        f"https://x.org/my_{OLD}",
        f"https://x.org/{OLD[:-4]}.log.json",
        f"https://x.org/?file=/{OLD}",
        f"https://x.org/a#/{OLD}",
        f"https://x.org/{OLD.upper()}",
        "[model]() &#124; [log]()",
        "",
    ],
)
def test_what_is_no_link_to_the_old_file_stays(text: str) -> None:
    assert patch_links(text, LINKS).text == text
    assert patch_links(text, LINKS).replaced == ()


def test_brackets_and_percent_signs_in_a_url() -> None:
    old, new = "a+b_20200926-20289c16.pth", "a+b_20200926-11111111.pth"
    links = NewLinks({old: new})
    text = "[m](https://x.org/gn(1)/a%2Bb_20200926-20289c16.pth) https://x.org/a%2bb_20200926-20289c16.pth"
    assert patch_links(text, links).text == text.replace("20289c16", "11111111").replace("%2b", "%2B")
    plain = f"https://x.org/{old}"
    assert patch_links(plain, links).text == f"https://x.org/{new}"


def test_where_it_was_replaced() -> None:
    first, second = patch_links(f"one\n{URL}\n\n{URL}", LINKS).replaced
    assert (first.line, second.line) == (2, 4)
    assert (first.old_name, first.new_name, first.entry) == (OLD, NEW, "")


def test_another_base() -> None:
    links = NewLinks({OLD: NEW}, Base("https://download.example.com/v0.5/", "s3://zoo/v1"))
    assert patch_links(f"({URL})", links).text == f"(s3://zoo/v1/m/{NEW})"
    other = f"https://download.example.com/v0.55/{OLD}"
    assert patch_links(other, links).text == other.replace(OLD, NEW)
    unknown = "https://download.example.com/v0.5/m/else.pth"
    assert patch_links(unknown, links).text == unknown


TEXTS = st.lists(
    st.one_of(st.text(), st.sampled_from([URL, OLD, NEW, "/", "https://", ")", "](", "\r\n", "%"])),
    max_size=12,
).map("".join)


@settings(deadline=None)
@given(TEXTS)
def test_nothing_but_the_name_changes(text: str) -> None:
    patched = patch_links(text, LINKS)
    pieces = patched.text.split(NEW)
    # The old name stood wherever the new one stands now; everything between is untouched.
    rest, count = text, 0
    for piece in pieces[:-1]:
        assert rest.startswith(piece)
        rest = rest[len(piece) :]
        old = OLD if rest.startswith(OLD) else NEW
        assert rest.startswith(old)
        count += old == OLD
        rest = rest[len(old) :]
    assert rest == pieces[-1]
    assert count == len(patched.replaced)


@settings(deadline=None)
@given(TEXTS)
def test_a_second_run_finds_nothing(text: str) -> None:
    once = patch_links(text, LINKS)
    assert patch_links(once.text, LINKS).replaced == ()


@settings(deadline=None)
@given(TEXTS)
def test_backwards_it_is_the_same_text_again(text: str) -> None:
    if NEW not in text:
        there = patch_links(text, LINKS).text
        assert patch_links(there, NewLinks({NEW: OLD})).text == text


@pytest.mark.parametrize("piece", ["a", "a.", "https://", "a://(", "(", "https://x/(a", "a://b//"])
def test_a_page_made_to_be_slow_is_not(piece: str) -> None:
    start = time.monotonic()
    patch_links(piece * (1_000_000 // len(piece)), LINKS)
    assert time.monotonic() - start < 10


class Watched(str):
    """A text that notes how much of it is looked through for line ends."""

    __slots__ = ("looked",)

    def count(self, sub: str, start: int = 0, end: int | None = None) -> int:  # type: ignore[override]
        end = len(self) if end is None else end
        self.looked = getattr(self, "looked", 0) + max(0, end - start)
        return super().count(sub, start, end)


@pytest.mark.parametrize("line", ["{url}\n", "[model]({url})\n\n", "{url} <{url}>\n"])
def test_lines_are_counted_once(line: str) -> None:
    text = Watched(line.format(url=URL) * 500)
    found = patch_links(text, LINKS)
    assert text.looked <= len(text)
    places = [text[:at].count("\n") + 1 for at in _places(text)]
    assert [one.line for one in found.replaced] == places
    assert found.text == text.replace(OLD, NEW)


def _places(text: str) -> list[int]:
    starts, at = [], text.find(URL)
    while at >= 0:
        starts.append(at)
        at = text.find(URL, at + 1)
    return starts


NAMES = st.text("ab.-%/é ", min_size=1, max_size=5)


@given(names=st.lists(NAMES, min_size=1, max_size=4), text=st.text("ab.-%/é 2c", max_size=30))
def test_whether_any_name_is_in_a_text(names: list[str], text: str) -> None:
    found = NewLinks(dict.fromkeys(names, "new")).any_in(text)
    assert found == any(name in unquote(text) for name in names)
