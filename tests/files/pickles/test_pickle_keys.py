"""P10 to P13: keys of a mapping, and what a terminal sees of them."""

from __future__ import annotations

import pytest
from support.streams import ORDERED_DICT, items, plain, stream, text

from mm_ckpt_migrate.files.pickles.build import named_pairs
from mm_ckpt_migrate.files.pickles.emit import emit
from mm_ckpt_migrate.files.pickles.errors import PickleError
from mm_ckpt_migrate.files.pickles.parse import parse_whole
from mm_ckpt_migrate.names import fold, key_fault, safe_text


def keys_of(*keys: bytes, made_by: bytes = b"}") -> list[str]:
    root = parse_whole(stream(made_by + items([(key, b"N") for key in keys])))
    return [key.value for key, _ in named_pairs(root)]


@pytest.mark.parametrize("made_by", [b"}", ORDERED_DICT])
def test_p10_key_twice(made_by: bytes) -> None:
    with pytest.raises(PickleError, match=r"'a\.weight' stands in the state dict twice"):
        keys_of(text("a.weight"), text("b"), text("a.weight"), made_by=made_by)


def test_p10_key_twice_over_two_opcodes() -> None:
    body = b"}" + text("a") + b"Ns" + text("a") + b"Ns"
    with pytest.raises(PickleError, match="twice"):
        named_pairs(parse_whole(stream(body)))


ALIKE = {
    "case": ("Weight", "weight"),
    "composed": ("\N{LATIN SMALL LETTER E WITH ACUTE}", "e\N{COMBINING ACUTE ACCENT}"),
    "trailing_space": ("weight", "weight "),
    "cyrillic": ("a", "\N{CYRILLIC SMALL LETTER A}"),
}


@pytest.mark.parametrize("case", ALIKE)
def test_p11_keys_that_look_alike_stay_two(case: str) -> None:
    assert keys_of(*map(text, ALIKE[case])) == list(ALIKE[case])


ODD_KEYS = {
    "integer": plain(1),
    "none": b"N",
    "bool": b"\x88",
    "tuple": text("a") + b"\x85",
    "list": b"]",
    "class": b"cbuiltins\nstr\n",
    "empty": text(""),
    "nul": text("a\0b"),
    "newline": text("a\nb"),
    "carriage_return": text("a\rb"),
    "escape": text("\x1b[31mred"),
    "bell": text("\a"),
    "c1_control": text("\x9b31m"),
    "right_to_left_override": text("a\u202eb"),
    "zero_width_space": text("a\u200bb"),
    "too_long": text("k" * 1025),
    "too_long_in_bytes": text("ä" * 513),
    "lone_surrogate": text("a\ud800"),
}


@pytest.mark.parametrize("case", ODD_KEYS)
def test_p12_p13_odd_key(case: str) -> None:
    with pytest.raises(PickleError) as caught:
        keys_of(text("fine"), ODD_KEYS[case])
    assert str(caught.value).isprintable()


def test_p12_longest_key() -> None:
    assert keys_of(text("k" * 1024)) == ["k" * 1024]
    assert key_fault("k" * 1024) is None


def test_p13_lone_surrogates_elsewhere_survive_byte_for_byte() -> None:
    whole = stream(text(b"\xed\xa0\x80") + text(b"\xed\xbf\xbf") + b"\x86")
    assert emit(parse_whole(whole)) == whole


@pytest.mark.parametrize("hostile", ["\x1b[2J", "\r", "\x9b", "\u202e", "\ud800", "\0", "\x7f"])
def test_p12_what_a_terminal_sees(hostile: str) -> None:
    shown = safe_text(f"a{hostile}b")
    assert shown.isprintable()
    assert shown.encode()
    assert shown != f"a{hostile}b"


def test_safe_text_leaves_names_alone_and_is_bounded() -> None:
    assert safe_text("decode_head.ümlaut 1") == "decode_head.ümlaut 1"
    assert len(safe_text("x" * 10_000)) <= 201


def test_fold_keeps_digits_that_are_part_of_a_word() -> None:
    keys = [f"l.{i}.norm1.{j}" for i in range(3) for j in range(2)]
    assert fold([*keys, "l.7.norm2.0", "", "1"]) == ["l.{0…2}.norm1.{0…1}", "l.7.norm2.0", "", "1"]
