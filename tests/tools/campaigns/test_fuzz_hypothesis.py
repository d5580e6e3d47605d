"""Files that are nearly right, made by their grammar: each parser refuses or agrees with another.

The pickle and the object in a checkpoint have such suites of their own: `tests/files/pickles` and
`tests/files/checkpoint`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from fuzz_targets import TARGETS
from hypothesis import given, settings
from hypothesis import strategies as st
from support.legacy import build_legacy
from support.streams import Storage, mapping, plain, stream, tensor
from support.zips import CENTRAL_FIELDS, LOCAL_FIELDS, TWO_FLOATS, Member, build_zip, members_of

FEW = int(os.environ.get("FUZZ_EXAMPLES", "150"))
short = settings(max_examples=FEW, deadline=None, derandomize="FUZZ_EXAMPLES" not in os.environ)
numbers = st.sampled_from([0, 1, 2, 4, 8, 12, 64, 0x0800, 0x0808, 0xFFFF, 1 << 31])
names = st.sampled_from(["data.pkl", "data/0", "data/1", "version", "byteorder", "DATA/0", "x"])


@st.composite
def archives(draw: Any) -> bytes:
    """Members with a field or two of their headers set to something else."""
    members: list[Member] = members_of()
    for _ in range(draw(st.integers(0, 2))):
        member = draw(st.sampled_from(members))
        part, fields = draw(
            st.sampled_from([(member.local, LOCAL_FIELDS[1:]), (member.central, CENTRAL_FIELDS[1:])])
        )
        part[draw(st.sampled_from(fields))] = min(draw(numbers), 0xFFFF)
    if draw(st.booleans()):
        extra = Member("archive/" + draw(names), draw(st.sampled_from([b"", TWO_FLOATS])))
        members.insert(draw(st.integers(0, len(members))), extra)
    if draw(st.booleans()):
        draw(st.sampled_from(members)).before = draw(st.binary(max_size=3))
    tails = [bytes, lambda tail: tail[:-1], lambda tail: tail + b"\0", lambda tail: tail[56:]]
    return build_zip(members, tail=draw(st.sampled_from(tails)))


@short
@given(archives())
def test_zip(data: bytes) -> None:
    TARGETS["zip"](data)


sizes = st.lists(st.one_of(st.integers(-1, 9), st.sampled_from([1 << 31, 1 << 62])), max_size=3)


@st.composite
def states(draw: Any) -> tuple[bytes, dict[str, tuple[int, bytes]]]:
    """A state dict of views, some of which reach out of their storages."""
    count, raw = draw(st.integers(0, 3)), draw(st.integers(0, 6))
    entries = {
        draw(st.sampled_from("abcd")): tensor(
            Storage(str(draw(st.integers(0, 1))), draw(st.integers(0, 6)), "torch.ByteStorage"),
            shape=(shape := draw(sizes)),
            stride=draw(st.lists(st.integers(-1, 3), min_size=len(shape), max_size=len(shape))),
            offset=draw(st.integers(-1, 6)),
        )
        for _ in range(count)
    }
    storages = {str(n): (raw, bytes(range(raw))) for n in range(draw(st.integers(0, 2)))}
    return stream(mapping({"state_dict": mapping(entries), "epoch": plain(1)})), storages


@short
@given(states())
def test_tensors_in_both_containers(made: tuple[bytes, dict[str, tuple[int, bytes]]]) -> None:
    root, storages = made
    TARGETS["legacy"](build_legacy(root, storages=storages))
    content = {key: data for key, (_, data) in storages.items()}
    TARGETS["zip"](build_zip(members_of(root, content)))


odd = st.sampled_from([0, 1, 2, 4, 8, 12, -1, 1.5, True, None, "1", 1 << 63, [], {}])
entries = st.fixed_dictionaries(
    {"dtype": st.sampled_from(["F32", "U8", "BOOL", "I64", "F4", "f32", 1])},
    optional={
        "shape": st.lists(st.one_of(st.integers(0, 4), odd), max_size=3),
        "data_offsets": st.lists(st.one_of(st.integers(0, 12), odd), max_size=3),
        "more": odd,
    },
)
right = st.builds(
    lambda begin, size: {"dtype": "U8", "shape": [size], "data_offsets": [begin, begin + size]},
    st.integers(0, 8),
    st.integers(0, 8),
)
headers = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "\ud800", "", "module.a", "__metadata__", "\x1b[0m"]),
        st.one_of(right, entries, st.dictionaries(st.sampled_from("ab"), odd)),
    ),
    max_size=3,
)


@short
@given(headers, st.integers(0, 12), st.integers(-2, 2))
def test_safetensors(header: list[tuple[str, Any]], size: int, longer: int) -> None:
    # By hand: a table of Python has no key twice.
    text = "{" + ",".join(f"{json.dumps(key)}:{json.dumps(value)}" for key, value in header) + "}"
    length = max(len(text) + longer, 0).to_bytes(8, "little")
    TARGETS["safetensors"](length + text.encode() + bytes(size))


words = st.sampled_from(
    [
        "a",
        "no",
        "~",
        "1",
        "01",
        "1.5",
        "1:30",
        "0x1F",
        "2001-01-01",
        "'x'",
        '"\\u0041"',
        "*a",
        "&a x",
        "<<",
        "!x y",
        "|\n    text",
        ">-\n    text",
        "[a, b]",
        "{a: b}",
        "[a,",
        "- a",
        "?",
        "a: b",
        "\t",
        "\u2028",
        "\x85",
        "# c",
        "---",
        "...",
    ]
)


@short
@given(st.lists(st.tuples(st.sampled_from(["a", "b", "schema", "- x", "no", "  c"]), words)))
def test_rules(lines: list[tuple[str, str]]) -> None:
    TARGETS["rules"]("".join(f"{key}: {value}\n" for key, value in lines).encode())


atoms = st.one_of(
    st.integers(-3, 40).map(str),
    st.sampled_from(["1.5", "'ab'", "None", "True", "x", "[]", "()", "{}", "'%d'", "1e400"]),
)


def inner(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.tuples(parts, parts)
    functions = st.sampled_from(
        ["range", "enumerate", "zip", "len", "sum", "min", "max", "int", "float", "str", "abs"]
    )
    return st.one_of(
        st.builds(
            lambda p, o: f"({p[0]} {o} {p[1]})", pairs, st.sampled_from(["+", "-", "*", "/", "//", "%", "**"])
        ),
        st.builds(lambda p: f"[{p[0]}, *{p[1]}]", pairs),
        st.builds(lambda p: f"dict(a={p[0]}, **{p[1]})", pairs),
        st.builds(lambda p: f"{{'k': {p[0]}, 'l': {p[1]}}}", pairs),
        st.builds(lambda p: f"{p[0]}[{p[1]}]", pairs),
        st.builds(lambda p: f"{p[0]}[{p[1]}:]", pairs),
        st.builds(lambda p: f"[{p[0]} for x in {p[1]}]", pairs),
        st.builds(lambda p: f"dict(a={p[0]}).get('a', {p[1]})", pairs),
        st.builds(lambda p: f"f'{{({p[0]})!r:>9}}-{{({p[1]})}}'", pairs),
        st.builds(lambda f, p: f"{f}({p})", functions, parts),
        st.builds(lambda p: f"-{p}", parts),
        st.builds(lambda p: f"(not {p})", parts),
    )


expressions = st.recursive(atoms, inner, max_leaves=6)
statements = st.one_of(
    st.builds(lambda e: f"x = {e}", expressions),
    st.builds(lambda e: f"x = y = {e}", expressions),
    st.builds(lambda e: f"x += {e}", expressions),
    st.builds(lambda e: f"x.append({e})", expressions),
    st.builds(lambda e: f"x.update(k={e})", expressions),
    st.builds(lambda e, f: f"x[{e}] = {f}", expressions, expressions),
    st.builds(lambda e: f"z, (y, x) = {e}, [1, 2]", expressions),
    st.sampled_from(["del x", "x = y", "y = x.copy()", "y = x.pop()", "z: int = 3", "y = [x] * 2"]),
)


@settings(short, max_examples=4 * FEW)
@given(st.lists(statements, min_size=1, max_size=6))
def test_configs(lines: list[str]) -> None:
    TARGETS["config"](("x = [1]\n" + "\n".join(lines)).encode())


@pytest.mark.thorough
def test_at_length() -> None:
    """The same, with ten times as many examples that are not always the same."""
    command = [sys.executable, "-m", "pytest", __file__, "-p", "no:xdist"]
    command += ["-o", "addopts=", "-m", "not thorough"]
    environment = os.environ | {"FUZZ_EXAMPLES": str(10 * FEW)}
    ran = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr
    assert "5 passed" in ran.stdout
