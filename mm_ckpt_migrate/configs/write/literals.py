"""Dict literals in a config's source: their settings, each with the text that belongs to it."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field, replace
from typing import Final

_LINE_START: Final = re.compile(r"\r?\n[ \t]*\Z")
_COMMENT: Final = re.compile(rb"[ \t]*#[^\r\n]*")


class NotEditableError(Exception):
    """The literal is written in a way that is read, but not edited."""


class Source:
    """A text and the places in it that `ast` names by line and column, in bytes."""

    def __init__(self, text: str) -> None:
        self.data = text.encode()
        self._starts = [0]
        for line in self.data.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def start(self, node: ast.expr | ast.keyword) -> int:
        return self._starts[node.lineno - 1] + node.col_offset

    def end(self, node: ast.expr | ast.keyword) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._starts[node.end_lineno - 1] + node.end_col_offset

    def text(self, start: int, end: int) -> str:
        return self.data[start:end].decode()


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as it is written.

    Attributes:
        key: its name, or None where that is not plain text.
        value: what it is set to.
        lead: blanks, line ends and comments before it.
        name: the key as it is written.
        join: what stands between name and value.
        written: the value's text, with all before the comma.
        trail: the comment behind it on its last line.
    """

    key: str | None
    value: ast.expr
    lead: str
    name: str
    join: str
    written: str
    trail: str = ""

    def valued(self, written: str) -> Setting:
        """The setting with another value, without the parentheses that the old one may have."""
        return replace(self, join=self.join.partition("(")[0], written=written)

    def named(self, key: str) -> Setting:
        quote = self.name[:1] if self.name[:1] in "\"'" else ""
        return replace(self, key=key, name=f"{quote}{key}{quote}")


@dataclass(slots=True)
class Literal:
    """A dict literal taken apart; `text` puts it together again."""

    opening: str
    settings: list[Setting] = field(default_factory=list)
    comma: bool = False
    closing: str = ""

    def text(self) -> str:
        parts = [self.opening]
        for number, setting in enumerate(self.settings, 1):
            comma = "," if self.comma or number < len(self.settings) else ""
            parts += [setting.lead, setting.name, setting.join, setting.written, comma]
            parts.append(setting.trail)
        if "#" in self._last_comment() and not self.closing.startswith(("\n", "\r")):
            parts.append(self.fresh_line() or "\n")
        return "".join([*parts, self.closing])

    def fresh_line(self) -> str:
        """The line end and the blanks before the first setting that starts a line, if one does."""
        found = (_LINE_START.search(setting.lead) for setting in self.settings)
        return next((match[0] for match in found if match), "")

    def _last_comment(self) -> str:
        return self.settings[-1].trail if self.settings else self.opening


def literal_of(node: ast.expr) -> ast.Dict | ast.Call | None:
    """The `dict(...)` or `{...}` that writes a value down, or None; for `dict({...})`, `{...}`."""
    if isinstance(node, ast.Dict):
        return node
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        return None
    if node.func.id != "dict" or len(node.args) > 1:
        return None
    if node.args:
        return node.args[0] if isinstance(node.args[0], ast.Dict) and not node.keywords else None
    return node


def items_of(literal: ast.Dict | ast.Call) -> list[tuple[str | None, ast.expr]]:
    """Key and value of each setting; the key is None where it is not plain text."""
    if isinstance(literal, ast.Call):
        return [(word.arg, word.value) for word in literal.keywords]
    return [(_text_of(key), value) for key, value in zip(literal.keys, literal.values, strict=True)]


def _text_of(key: ast.expr | None) -> str | None:
    if isinstance(key, ast.Constant) and isinstance(key.value, str):
        return key.value
    return None


def take_apart(source: Source, literal: ast.Dict | ast.Call) -> Literal:
    """Split a literal into its settings, so that `text` of the result is what was written.

    Raises:
        NotEditableError: parts of it cannot be told apart.
    """
    start, close = source.start(literal), source.end(literal) - 1
    place = start + 1
    if isinstance(literal, ast.Call):
        place = source.data.index(b"(", source.end(literal.func)) + 1
    place = _past_comment(source, place, close)
    result = Literal(source.text(start, place))
    names: list[ast.expr | ast.keyword | None]
    names = [*literal.keywords] if isinstance(literal, ast.Call) else [*literal.keys]
    for name, (key, value) in zip(names, items_of(literal), strict=True):
        if name is None:
            raise NotEditableError("settings from elsewhere, with **")
        place = _take_setting(source, result, place, (name, key, value), close)
    result.closing = source.text(place, close + 1)
    return result


def _take_setting(
    source: Source,
    result: Literal,
    place: int,
    item: tuple[ast.expr | ast.keyword, str | None, ast.expr],
    close: int,
) -> int:
    """Add one setting; returns where the next one's lead starts."""
    node, key, value = item
    start, value_start = source.start(node), source.start(value)
    name_end = source.end(node) if isinstance(node, ast.expr) else start + len((key or "").encode())
    lead = source.text(place, start)
    if _COMMENT.sub(b"", lead.encode()).strip():
        raise NotEditableError("something stands before a setting")
    end, comma = _value_end(source.data, source.end(value), close)
    result.comma = comma
    past = _past_comment(source, end + comma, close)
    result.settings.append(
        Setting(
            key=key,
            value=value,
            lead=lead,
            name=source.text(start, name_end),
            join=source.text(name_end, value_start),
            written=source.text(value_start, end),
            trail=source.text(end + comma, past),
        )
    )
    return past


def _value_end(data: bytes, place: int, close: int) -> tuple[int, bool]:
    """Where a value ends, with the parentheses around it; whether a comma stands there."""
    end = place
    while place < close:
        byte = data[place : place + 1]
        if byte == b",":
            if data[end:place].strip():
                raise NotEditableError("a comment stands before a comma")
            return place, True
        if byte == b"#":
            match = _COMMENT.match(data, place)
            place = match.end() if match else close
            continue
        place += 1
        if byte == b")":
            end = place
    return end, False


def _past_comment(source: Source, place: int, close: int) -> int:
    """The end of the comment that follows on the same line, or `place`."""
    match = _COMMENT.match(source.data, place, close)
    return match.end() if match else place
