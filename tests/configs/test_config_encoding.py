"""Config text that is another program for whoever imports it as a file."""

from __future__ import annotations

import io
import tokenize
from pathlib import Path

import pytest

from mm_ckpt_migrate.configs.read.config import read_config, read_config_text
from mm_ckpt_migrate.errors import ConfigError

HARM = "# \\x0aimport os\nmodel = dict(type='A')\n"
ANOTHER = {
    "first_line": "# -*- coding: unicode_escape -*-\n" + HARM,
    "second_line": "#!/usr/bin/env python\n# vim: set fileencoding=utf_7 :\n" + HARM,
    "after_a_blank_line": "\n# coding=utf-7\n" + HARM,
    "after_a_form_feed": "\f# coding=raw_unicode_escape\n" + HARM,
    "indented": "  \t# coding: cp037\n" + HARM,
    "old_line_ends": "# one\r# coding: utf_16\r" + HARM,
    "windows_line_ends": "# one\r\n# coding: latin-1\r\n" + HARM,
    "with_a_mark": "\ufeff# coding: utf_7\n" + HARM,
    "in_the_middle_of_a_word": "# decoding:utf-7\n" + HARM,
    "unknown": "# coding: nothing-known\n" + HARM,
    "nearly_utf_8": "# coding: utf-8x\n" + HARM,
    "other_kind_of_line": "# one\u2028# coding: utf-7\n" + HARM,
}
CONTROLS = ["\0", "\x1a", "\x0b", "\x1c", "\r", "\x7f", "\x1b"]
FINE = {
    "utf_8": "# -*- coding: utf-8 -*-\nmodel = 1\n",
    "unix": "# coding: UTF_8-unix\nmodel = 1\n",
    "ascii": "#!python\n# coding: us-ascii\nmodel = 1\n",
    "third_line": "# one\n# two\n# coding: latin-1\nmodel = 1\n",
    "behind_code": "model = 1\n# coding: latin-1\n",
    "behind_a_docstring": "'''\n# coding: latin-1\n'''\nmodel = 1\n",
    "continued": "\\\n# coding: latin-1\nmodel = 1\n",
    "in_a_string": "model = '# coding: latin-1'\n",
    "a_word_of_detr": "# positional encoding of sine\nmodel = 1\n",
    "windows_line_ends": "# one\r\nmodel = 1\r\n",
    "tabs_and_form_feeds": "\f\nmodel = dict(\n\ta=1)\n",
}


@pytest.mark.parametrize("case", ANOTHER)
def test_another_encoding_is_refused(case: str, tmp_path: Path) -> None:
    path = tmp_path / "config.py"
    path.write_bytes(ANOTHER[case].encode())
    for read in (lambda: read_config(path), lambda: read_config_text(ANOTHER[case], "inside")):
        with pytest.raises(ConfigError, match=r"declares the encoding|not parsed as Python"):
            read()


@pytest.mark.parametrize("control", CONTROLS)
def test_control_characters_are_refused(control: str) -> None:
    for text in (f"a = 1 {control} \nb = 2\n", f"a = 'x{control}y'\n", f"# x{control}y\n"):
        with pytest.raises(ConfigError, match="not parsed as Python"):
            read_config_text(text, "inside")


@pytest.mark.parametrize("case", FINE)
def test_what_is_utf_8_for_python_is_read(case: str) -> None:
    text = f"{FINE[case]}\nmodel = 2\n"
    assert read_config_text(text, "inside")["model"] == 2


@pytest.mark.parametrize("case", FINE)
def test_python_takes_it_for_utf_8_too(case: str) -> None:
    found, _ = tokenize.detect_encoding(io.BytesIO(FINE[case].encode()).readline)
    assert found in ("utf-8", "us-ascii")
