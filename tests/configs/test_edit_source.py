"""The source of a config is edited where its dicts are written out; all else stays."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from old_style import SOURCE
from support.files import golden_id, new_configs, old_configs

from mm_ckpt_migrate.configs.edits import Become, Drop, Edit, Put, edited_config
from mm_ckpt_migrate.configs.migrate.text import migrate_text
from mm_ckpt_migrate.configs.read.config import read_config_text
from mm_ckpt_migrate.configs.write.edit_source import edited_source
from mm_ckpt_migrate.configs.write.literals import NotEditableError
from mm_ckpt_migrate.mapping.rules.library import Library

M = ("m",)
Edited = Callable[..., str]


@pytest.fixture
def edited() -> Edited:
    """Edit a source, and hold it against the same edits by value."""

    def edit(text: str, *edits: Edit) -> str:
        new = edited_source(text, edits)
        expected = edited_config(read_config_text(text, "old"), edits)
        assert repr(read_config_text(new, "new")) == repr(expected)
        return new

    return edit


def test_comments_formatting_and_order_stay(library: Library) -> None:
    result = migrate_text(SOURCE, "old.py", library.families)
    assert result.form == "edited"
    assert result.text == textwrap.dedent("""\
        # A config of mine.
        custom_imports = dict(imports='mmdet.models', allow_failed_imports=False)
        crop_size = (512, 512)  # height, width
        model = dict(
            type='EncoderDecoder',
            decode_head=dict(
                type='MaskFormerHead',
                num_queries=42,
                positional_encoding=dict(
                    num_feats=4,
                    normalize=True),
                # nine layers were too slow
                transformer_decoder=dict(  # the decoder
                    return_intermediate=True,
                    num_layers=3,  # not six
                    layer_cfg=dict(
                        self_attn_cfg=dict(
                            embed_dims=8,
                            num_heads=2,
                            batch_first=True),
                        cross_attn_cfg=dict(
                            embed_dims=8,
                            num_heads=2,
                            batch_first=True),
                        ffn_cfg=dict(
                            embed_dims=8,
                            feedforward_channels=16,
                            ffn_drop=0.0, num_fcs=2)
                        # the following parameter was not used,
                        # just make current api happy
                        ),
                    init_cfg=None)))
        """).replace("ffn_drop=0.0, num_fcs=2)", "ffn_drop=0.0,\n                    num_fcs=2)")


# Where one head holds all that changes.
ONE_HEAD = [
    path
    for path in old_configs()
    if "transformer_decoder=" in path.read_text().partition("decode_head=dict(")[2]
]


@pytest.mark.parametrize("path", ONE_HEAD, ids=golden_id)
def test_of_a_genuine_dump_only_lines_about_the_head_change(path: Path, library: Library) -> None:
    text = path.read_text()
    result = migrate_text(text, str(path), library.families)
    assert result.form == "edited"
    before, after = text.splitlines(), result.text.splitlines()
    start = next(i for i, line in enumerate(before) if "decode_head=dict(" in line)
    end = next(i for i, line in enumerate(before) if "loss_cls=dict(" in line)
    changed = [
        op[1:3] for op in difflib.SequenceMatcher(None, before, after).get_opcodes() if op[0] != "equal"
    ]
    assert changed
    assert all(start < first <= last <= len(before) for first, last in changed)
    assert before[:start] == after[:start]
    assert before[end:] == after[len(after) - len(before) + end :]


@pytest.mark.parametrize(
    ("text", "edits", "expected"),
    [
        # Drop: first, middle, last, only.
        ("m = dict(a=1, b=2)\n", [Drop(M, "a", "")], "m = dict(b=2)\n"),
        ("m = dict(a=1, b=2)\n", [Drop(M, "b", "")], "m = dict(a=1)\n"),
        ("m = dict(a=1,)\n", [Drop(M, "a", "")], "m = dict()\n"),
        ("m = dict(a=1, b=2, )\n", [Drop(M, "b", "")], "m = dict(a=1, )\n"),
        ("m = {'a': 1, \"b\": 2}\n", [Drop(M, "b", "")], "m = {'a': 1}\n"),
        ("m = dict(\n    a=1,\n    b=2,\n)\n", [Drop(M, "a", "")], "m = dict(\n    b=2,\n)\n"),
        ("m = dict(\n    a=1,\n    b=2,\n)\n", [Drop(M, "b", "")], "m = dict(\n    a=1,\n)\n"),
        ("m = dict(\n    a=1, b=2,\n    c=3)", [Drop(M, "a", "")], "m = dict(\n    b=2,\n    c=3)"),
        ("m = dict(a=1,\n         b=2)\n", [Drop(M, "a", "")], "m = dict(b=2)\n"),
        ("m = dict(a=1, b=2)\n", [Drop(M, "x", "")], "m = dict(a=1, b=2)\n"),
        # The comment on a setting's line goes with it, the one above it stays.
        ("m = dict(\n    a=1,  # one\n    b=2)", [Drop(M, "a", "")], "m = dict(\n    b=2)"),
        ("m = dict(  # all\n    a=1,\n    b=2)", [Drop(M, "a", "")], "m = dict(  # all\n    b=2)"),
        (
            "m = dict(\n    # above\n    a=1,\n    # on b\n    b=2)",
            [Drop(M, "a", "")],
            "m = dict(\n    # above\n    # on b\n    b=2)",
        ),
        ("m = dict(\n    a=1,  # one\n    b=2)", [Drop(M, "b", "")], "m = dict(\n    a=1  # one\n    )"),
        (
            "m = dict(\n  # on a\n  a=1,  # one\n  b=2)",
            [Drop(M, "b", "")],
            "m = dict(\n  # on a\n  a=1  # one\n  )",
        ),
        ("m = dict(  # all\n    a=1)", [Drop(M, "a", "")], "m = dict(  # all\n)"),
        # A new name, in whichever way the old one was written.
        ("m = dict(a=1, b=2)", [Become(M, "a", (("x", None),))], "m = dict(x=1, b=2)"),
        ("m = {'a': 1, 'b': 2}", [Become(M, "a", (("x", None),))], "m = {'x': 1, 'b': 2}"),
        ('m = {"a" : 1}', [Become(M, "a", (("x", None),))], 'm = {"x" : 1}'),
        ("m = dict({'a': 1})", [Become(M, "a", (("x", None),))], "m = dict({'x': 1})"),
        (
            "m = dict(a=dict(c=1))",
            [Become(M, "a", (("x", None), ("y", None)))],
            "m = dict(x=dict(c=1), y=dict(c=1))",
        ),
        (
            "m = dict(\n  a=1,  # one\n  b=2)",
            [Become(M, "a", (("x", None), ("y", None)))],
            "m = dict(\n  x=1,\n  y=1,  # one\n  b=2)",
        ),
        (
            "m = dict(a=[dict(c=1), dict(c=2)])",
            [Become(M, "a", (("x", 1), ("y", 0)))],
            "m = dict(x=dict(c=2), y=dict(c=1))",
        ),
        ("m = dict(a=((1), (2),))", [Become(M, "a", (("x", 0),))], "m = dict(x=1)"),
        # Put: in place, at the end.
        ("m = dict(a=1, b=2)", [Put(M, "a", 0.5, "")], "m = dict(a=0.5, b=2)"),
        ("m = dict(a=(1), b=2)", [Put(M, "a", True, "")], "m = dict(a=True, b=2)"),
        ("m = dict()", [Put(M, "a", {"b": (1,)}, "")], "m = dict(a=dict(b=(1,)))"),
        ("m = {}", [Put(M, "a", "x", "")], "m = {'a': 'x'}"),
        ("m = dict(\n    a=1,\n)", [Put(M, "b", 2, "")], "m = dict(\n    a=1,\n    b=2,\n)"),
        ("m = dict(\r\n  a=1\r\n)", [Put(M, "b", 2, "")], "m = dict(\r\n  a=1,\r\n  b=2\r\n)"),
        ("m = {\n  'a': 1  # one\n}", [Put(M, "b", 2, "")], "m = {\n  'a': 1,  # one\n  'b': 2\n}"),
        # Inside lists, and what looks odd.
        ("m = [0, dict(a=1)]", [Drop(("m", "1"), "a", "")], "m = [0, dict()]"),
        ("m = (dict(a=(1 # 1\n), b=2))", [Drop(M, "b", "")], "m = (dict(a=(1 # 1\n)))"),
        ("m = dict(ü='ß', a='# no, comment', b=2)", [Drop(M, "b", "")], "m = dict(ü='ß', a='# no, comment')"),
        ("m = dict(a='''\n,#)''', b=2);n = 1", [Drop(M, "b", "")], "m = dict(a='''\n,#)''');n = 1"),
        ("m = dict(a=([1, 2]), b=2)", [Become(M, "a", (("x", 0),))], "m = dict(x=1, b=2)"),
        ("m = dict \\\n (a=1, b=2)", [Drop(M, "a", "")], "m = dict \\\n (b=2)"),
    ],
)
def test_one_edit(text: str, edits: list[Edit], expected: str, edited: Edited) -> None:
    assert edited(text, *edits) == expected


def test_edits_at_several_depths(edited: Edited) -> None:
    text = "m = dict(\n    a=dict(b=dict(c=1, d=2), e=3),  # x\n    f=4)\n"
    edits = [
        Drop(("m", "a", "b"), "c", ""),
        Become(("m", "a"), "b", (("g", None), ("h", None))),
        Put(("m", "a"), "e", 5, ""),
        Become(("m",), "a", (("k", None),)),
    ]
    assert edited(text, *edits) == ("m = dict(\n    k=dict(g=dict(d=2), h=dict(d=2), e=5),  # x\n    f=4)\n")


@pytest.mark.parametrize(
    "text",
    [
        "m = dict(**x, a=1)",
        "m = {**x, 'a': 1}",
        "m = {'a': 1, 2: 3, 'b': 4}",
        "m = build(a=1)",
        "m = dict([('a', 1)])",
        "m = dict({'a': 1}, b=2)",
        "n = m = 3",
        "m['a'] = 1",
        "m.update(dict(a=1))",
        "other = dict(a=1)",
    ],
)
def test_what_is_not_written_out_is_left_alone_or_refused(text: str) -> None:
    try:
        new = edited_source(text, [Drop(M, "zzz", "")])
    except NotEditableError:
        return
    assert new == text


def test_a_comment_before_a_comma_is_not_edited() -> None:
    with pytest.raises(NotEditableError):
        edited_source("m = dict(a=1  # one\n , b=2)", [Drop(M, "a", "")])


def test_a_list_from_elsewhere_is_not_dealt_out() -> None:
    with pytest.raises(NotEditableError):
        edited_source("x = [1]\nm = dict(a=x)", [Become(M, "a", (("b", 0),))])


def test_without_edits_nothing_changes(library: Library) -> None:
    for path in old_configs():
        assert edited_source(path.read_text(), []) == path.read_text()
    for path in new_configs():
        new = path.read_text()
        assert edited_source(new, []) == new
        # With weights, as some families' configs never changed.
        result = migrate_text(new, "new.py", library.families, ())
        assert (result.text, result.changes, result.form) == (new, (), "unchanged")


def test_a_name_for_all_is_seen_through_by_value(library: Library) -> None:
    source = SOURCE.replace("model = dict(", "heads = 2\nmodel = dict(").replace(
        "num_heads=2", "num_heads=heads"
    )
    result = migrate_text(source, "old.py", library.families)
    assert result.form == "edited"
    assert result.text.count("num_heads=heads") == 2


@pytest.mark.parametrize(
    ("old", "new", "form"),
    [
        ("    transformerlayers=dict(", "    transformerlayers=dict(**{}, ", "edited"),
        ("model = dict(", "decoder = dict(\n    x=1)\nmodel = dict(", "edited"),
        ("init_cfg=None)))\n", "init_cfg=None)))\nmodel['x'] = model.pop('type')\n", "edited"),
        # Read, and not edited: the value comes from elsewhere.
        ("operation_order=(", "**dict(init_cfg=None), operation_order=(", "edited"),
        ("attn_cfgs=dict(", "**dict(batch_first=False), attn_cfgs=dict(", "flattened"),
        ("model = dict(", "kind = 'type'\nmodel = dict(", "edited"),
        ("ffn_cfgs=dict(", "ffn_cfgs=dict(**dict(type='FFN'), ", "flattened"),
        ("num_layers=3,", "**dict(type='DetrTransformerDecoder'), num_layers=3,", "unreadable"),
        ("attn_cfgs=dict(", "attn_cfgs=dict(attn)", "variable"),
    ],
)
def test_the_values_are_right_in_either_form(old: str, new: str, form: str, library: Library) -> None:
    source = SOURCE.replace(old, new, 1)
    if form == "variable":
        source = _with_variable()
    elif form == "unreadable":
        source = source.replace("            type='mmdet.DetrTransformerDecoder',  # of DETR\n", "")
    result = migrate_text(source, "old.py", library.families)
    assert result.form == ("edited" if form == "edited" else "flattened")
    expected: Any = read_config_text(migrate_text(SOURCE, "", library.families).text, "x")
    model: Any = read_config_text(result.text, "x")["model"]
    model["type"] = model.pop("x", model.get("type"))
    model["decode_head"]["transformer_decoder"]["layer_cfg"].pop("init_cfg", None)
    assert model == expected["model"]


def _with_variable() -> str:
    """The same config, with the attention in a variable."""
    start = SOURCE.index("dict(\n                    type='mmdet.MultiheadAttention'")
    end = SOURCE.index(",\n                ffn_cfgs")
    return f"attn = {SOURCE[start:end]}\n{SOURCE[:start]}attn{SOURCE[end:]}"
