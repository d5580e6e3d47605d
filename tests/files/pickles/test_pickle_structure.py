"""P8, P9, P14, P27, P28: memo, end, nesting, cycles and budgets of a stream."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from support.streams import PROTO_2, name, plain, stream, text

from mm_ckpt_migrate.files.pickles import limits as module
from mm_ckpt_migrate.files.pickles.build import to_plain
from mm_ckpt_migrate.files.pickles.emit import emit
from mm_ckpt_migrate.files.pickles.errors import PickleCutShortError, PickleError, PickleLimitError
from mm_ckpt_migrate.files.pickles.nodes import walk
from mm_ckpt_migrate.files.pickles.parse import parse, parse_whole

MEMO = {
    "get_before_put": b"h\x00",
    "get_of_a_later_number": b"]q\x00h\x01a",
    "long_get_before_put": b"j\xff\xff\xff\x7f",
    "first_number_is_1": b"]q\x01",
    "number_skipped": b"(]q\x00]q\x02t",
    "number_given_twice": b"(]q\x00]q\x00t",
    "two_numbers_for_one_object": b"]q\x00q\x01",
    "number_2_to_31": b"]r\x00\x00\x00\x80",
    "number_2_to_32": b"]r\xff\xff\xff\xff",
    "put_of_a_shared_object": b"]q\x00h\x00q\x01a",
    "put_of_a_mark": b"(q\x00t",
    "put_on_an_empty_stack": b"q\x00N",
    "change_of_a_shared_object": b"(]q\x00h\x00Nat",
    "build_on_a_shared_object": b"(" + name("a.B") + b")\x81q\x00h\x00}bt",
}


@pytest.mark.parametrize("case", MEMO)
def test_p08_memo_numbers_out_of_order(case: str) -> None:
    with pytest.raises(PickleError):
        parse_whole(stream(MEMO[case]))


def test_p08_memo_numbers_in_order_are_fine() -> None:
    assert emit(parse_whole(stream(b"]q\x00(]q\x01h\x01e"))) == stream(b"]q\x00(]q\x01h\x01e")


OBJECT = name("a.B") + b")\x81"
STATES = {
    # The dict holds the object that was made of it while it was empty.
    "dict_within_itself": (b"}q\x00" + text("k") + OBJECT + b"h\x00bs", False),
    "list_within_itself": (b"]q\x00" + OBJECT + b"h\x00ba", False),
    "dict_before_the_object": (b"}q\x00" + text("k") + b"Ns" + OBJECT + b"h\x00b\x86", True),
    "dict_of_two_objects": (OBJECT + b"}q\x00b" + OBJECT + b"h\x00b\x86", True),
}


@pytest.mark.parametrize("case", STATES)
def test_a_state_that_changes_after_its_build(case: str) -> None:
    """Python takes the attributes that are there at that moment."""
    data, accepted = STATES[case]
    if accepted:
        assert emit(parse_whole(stream(data))) == stream(data)
        return
    with pytest.raises(PickleError, match="attributes were taken"):
        parse_whole(stream(data))


def test_p09_second_pickle_after_stop() -> None:
    with pytest.raises(PickleError, match="bytes after"):
        parse_whole(stream(b"N") + stream(b"N"))


def test_p09_one_byte_after_stop() -> None:
    with pytest.raises(PickleError, match="bytes after"):
        parse_whole(stream(b"N") + b"\0")


def test_end_of_a_stream_in_the_middle_of_a_file() -> None:
    data = b"head" + stream(b"]") + b"tail"
    assert parse(data, 4).end == len(data) - 4


VALUE: Any = {"a": [1, 2.5, (None, True)], "b": "text" * 20, "c": 2**80, "d": pickle.PickleError}


def test_every_truncation_is_cut_short() -> None:
    whole = pickle.dumps(VALUE, protocol=2)
    for size in range(len(whole)):
        with pytest.raises(PickleCutShortError):
            parse(whole[:size])


NESTED = {
    "lists": b"]" * 30_000 + b"a" * 29_999,
    "dicts": (b"}" + plain(1)) * 30_000 + b"N" + b"s" * 30_000,
    "tuples": b")" + b"\x85" * 30_000,
    "calls": name("a.b") * 300 + b")" + b"R\x85" * 299 + b"R",
    "marks": b"(" * 30_000 + b"t" * 30_000,
}


@pytest.mark.parametrize("case", NESTED)
def test_p14_nesting(case: str) -> None:
    with pytest.raises(PickleLimitError, match="deeper"):
        parse_whole(stream(NESTED[case]))


def test_p14_nesting_through_shared_objects() -> None:
    """A flat list of lists, each of which holds the one before: deep, although nothing nests."""
    chain: list[Any] = [[]]
    for _ in range(1000):
        chain.append([chain[-1]])
    with pytest.raises(PickleLimitError, match="deeper"):
        parse_whole(pickle.dumps(chain, protocol=2))


@pytest.mark.parametrize("made", [b"]" * 200 + b"a" * 199, b")" + b"\x85" * 199])
def test_p14_the_deepest_that_is_read_is_also_written(made: bytes) -> None:
    assert emit(parse_whole(stream(made))) == stream(made)


def test_p27_a_list_in_itself_is_walked_once() -> None:
    root = parse_whole(stream(b"]q\x00h\x00a"))
    assert walk(root) == [root]
    assert to_plain(root) is not None


def test_p27_recursive_tuple_as_cpython_writes_it() -> None:
    inner: list[Any] = []
    inner.append((inner,))
    with pytest.raises(PickleError):
        parse_whole(pickle.dumps(inner[0], protocol=2))


def doubling(levels: int, width: int = 2) -> bytes:
    """A list that holds one list `width` times, which holds one list `width` times, and so on."""
    lists: Any = []
    for _ in range(levels):
        lists = [lists] * width
    return pickle.dumps(lists, protocol=2)


SHARED = {
    "lists_in_lists": doubling(100),
    "wide_lists": doubling(7, 1000),
    "tuples_in_tuples": stream(
        b")q\x00" + b"".join(b"h%ch%c\x86q%c" % (n, n, n + 1) for n in range(60)) + b"t"
    ).replace(b")", b"()", 1),
    "one_large_list_many_times": stream(b"(]q\x00(" + b"N" * 90_000 + b"e" + b"h\x00" * 50 + b"t"),
    "arguments": stream(
        b"(" + name("a.b") + b"q\x00](" + b"N" * 90_000 + b"e\x85q\x01" + b"h\x00h\x01R" * 50 + b"t"
    ),
    "a_list_in_itself": stream(b"]q\x00(" + b"N" * 90_000 + b"e" + b"h\x00\x85a" * 50),
}


@pytest.mark.parametrize("case", SHARED)
def test_p28_billions_of_paths_are_few_nodes(case: str) -> None:
    with pytest.raises(PickleLimitError, match="shared so often"):
        parse_whole(SHARED[case])


def test_p28_what_genuine_files_share_is_fine() -> None:
    shared = {"betas": (0.9, 0.999)}
    raw = pickle.dumps([shared] * 10_000, protocol=2)
    assert emit(parse_whole(raw)) == raw


@pytest.mark.timeout(30)
def test_p28_plain_value_of_billions_of_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FREE_MEETINGS", 10**30)
    root = parse_whole(doubling(7, 1000))
    with pytest.raises(PickleLimitError):
        to_plain(root)


DENSE = {
    "lists": b"](" + b"]" * 150_000 + b"e",
    "empty_tuples": b"](" + b")" * 150_000 + b"e",
    "nested_pairs": b"](" + b"]\x85" * 100_000 + b"e",
    "calls": b"](" + name("a.b") + b"q\x00" + b"h\x00)R" * 100_000 + b"e",
    "constants": b"](" + b"N" * 400_000 + b"e",
    "shared_texts": b"](" + text("") + b"q\x00" + b"h\x00" * 700_000 + b"e",
    "marks": b"(" * 400_000 + b"t" * 400_000,
}


@pytest.mark.parametrize("case", DENSE)
def test_more_than_the_bytes_of_a_genuine_file_make(case: str) -> None:
    with pytest.raises(PickleLimitError, match=r"more than [0-9,]+ (opcodes|objects) in [0-9,]+ bytes"):
        parse_whole(stream(DENSE[case]))


@pytest.mark.parametrize("case", DENSE)
def test_the_same_in_a_pickle_that_is_large_enough_is_read(case: str) -> None:
    """As deep as it is allowed to be, that is."""
    body = DENSE[case] if case != "marks" else b"N"
    parse_whole(stream(text("x" * 3_000_000) + body + b"\x86"))


# A stream, and what it takes of that.
LIMITS = {
    "MAX_OPCODES": (stream(b"]" + b"(" + b"N" * 2000 + b"e"), 2003),
    "FREE_OPCODES": (stream(b"](" + b"N" * 2000 + b"e"), 2003 - 2005 // 3),
    "FREE_OBJECTS": (stream(b"](" + b"]" * 2000 + b"e"), 2001 - 2003 // 8),
    "MAX_STRING_BYTES": (stream(text("x" * 2000)), 2000),
    "MAX_PICKLE_BYTES": (stream(text("x" * 2000)), len(stream(text("x" * 2000)))),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_budgets(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, taken = LIMITS[limit]
    monkeypatch.setattr(module, limit, taken)
    parse_whole(whole)
    monkeypatch.setattr(module, limit, taken - 1)
    with pytest.raises(PickleLimitError):
        parse_whole(whole)


@pytest.mark.parametrize("body", [b"X\xff\xff\xff\xff", b"\x8b\xff\xff\xff\x7f"])
def test_a_length_of_gigabytes_allocates_nothing(body: bytes) -> None:
    with pytest.raises(PickleLimitError):
        parse_whole(stream(body))


def test_text_that_is_not_utf_8() -> None:
    with pytest.raises(PickleError, match="UTF-8"):
        parse_whole(stream(text(b"\xff\xfe")))


def test_empty_and_foreign_data() -> None:
    for data in (b"", b"\x80", PROTO_2, b"N.", b"\x80\x04."):
        with pytest.raises(PickleError):
            parse_whole(data)
