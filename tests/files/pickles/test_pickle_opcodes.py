"""P6, P7: only the opcodes that torch's pickler writes under protocol 2 are run at all."""

from __future__ import annotations

import pickle
import pickletools
import re
from typing import Any

import pytest
from support.streams import PROTO_2, name, plain, stream, text

from mm_ckpt_migrate.files.pickles.errors import PickleError
from mm_ckpt_migrate.files.pickles.parse import parse_whole

ALLOWED = {
    "STOP",
    "MARK",
    "NONE",
    "NEWTRUE",
    "NEWFALSE",
    "BININT",
    "BININT1",
    "BININT2",
    "LONG1",
    "LONG4",
    "BINFLOAT",
    "BINUNICODE",
    "GLOBAL",
    "EMPTY_TUPLE",
    "TUPLE1",
    "TUPLE2",
    "TUPLE3",
    "TUPLE",
    "EMPTY_LIST",
    "APPEND",
    "APPENDS",
    "EMPTY_DICT",
    "SETITEM",
    "SETITEMS",
    "REDUCE",
    "NEWOBJ",
    "BUILD",
    "BINPERSID",
    "BINPUT",
    "LONG_BINPUT",
    "BINGET",
    "LONG_BINGET",
}
OTHERS = [opcode for opcode in pickletools.opcodes if opcode.name not in ALLOWED]


@pytest.mark.parametrize("opcode", OTHERS, ids=lambda opcode: opcode.name)
def test_p07_opcode_outside_the_allow_list(opcode: Any) -> None:
    # It stands behind objects that it could act on, and before bytes that it could take.
    code = opcode.code.encode("latin-1")
    body = b"(]" + plain(1) * 3 + code + b"\x01\0\0\0\0\0\0\0" * 4
    with pytest.raises(PickleError, match=re.escape(f"opcode {code!r} is not one that")):
        parse_whole(stream(body))


def test_p07_bytes_that_are_no_opcode() -> None:
    known = {opcode.code.encode("latin-1") for opcode in pickletools.opcodes}
    for byte in (bytes((value,)) for value in range(256)):
        if byte not in known:
            with pytest.raises(PickleError, match="is not one that"):
                parse_whole(PROTO_2 + b"N" + byte + b".")


@pytest.mark.parametrize("protocol", [0, 1, 3, 4, 5])
def test_p06_other_protocols(protocol: int) -> None:
    with pytest.raises(PickleError, match="protocol"):
        parse_whole(pickle.dumps({"weights": [1, 2.5]}, protocol=protocol))


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_p06_newer_opcodes_under_a_claim_of_protocol_2(protocol: int) -> None:
    raw = pickle.dumps({"weights": b"bytes", "set": {1}}, protocol=protocol)
    with pytest.raises(PickleError):
        parse_whole(PROTO_2 + raw[2:])


MISUSED = {
    "call_of_text": text("os.system") + b")R",
    "call_of_a_call": name("a.b") + b")R)R",
    "call_with_a_list": name("a.b") + b"]R",
    "new_of_an_object": b"])\x81",
    "append_to_a_dict": b"}Na",
    "item_into_a_list": b"]NNs",
    "item_into_a_tuple": b")NNs",
    "odd_number_of_items": b"}(NNNu",
    "build_on_a_list": b"]}b",
    "build_on_a_dict": b"}}b",
    "build_on_a_class": name("a.b") + b"}b",
    "append_to_text": text("a") + b"Na",
    "mark_for_an_object": b"](a",
    "mark_in_a_tuple": b"N(\x86",
    "appends_without_a_mark": b"]NNe",
    "empty_stack": b"a",
    "nothing_to_return": b"",
    "two_objects_left": b"NN",
    "mark_left": b"(N",
    "mark_returned": b"(",
    "change_after_build": name("a.B") + b")\x81}b" + b"Na",
    "second_build": name("a.B") + b")\x81}b}b",
}


@pytest.mark.parametrize("case", MISUSED)
def test_opcodes_that_do_not_fit(case: str) -> None:
    with pytest.raises(PickleError):
        parse_whole(stream(MISUSED[case]))


NAMES = {
    "empty_module": b"c\nsystem\n",
    "empty_name": b"cos\n\n",
    "not_ascii": "c\N{CYRILLIC SMALL LETTER O}s\nsystem\n".encode(),
    "space": b"cos \nsystem\n",
    "escape_code": b"cos\n\x1b[2Jsystem\n",
    "carriage_return": b"cos\r\nsystem\n",
    "operator": b"cos\nsystem('ls')\n",
    "leading_dot": b"c.os\nsystem\n",
    "trailing_dot": b"cos.\nsystem\n",
    "no_end": b"cos" + b"x" * 600,
    "no_second_line": b"cos\nsystem",
}


@pytest.mark.parametrize("case", NAMES)
def test_names_of_globals_that_are_none(case: str) -> None:
    with pytest.raises(PickleError):
        parse_whole(stream(NAMES[case]))
