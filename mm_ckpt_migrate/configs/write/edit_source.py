"""Make edits in the source of a config, where its dicts are written out, and nowhere else.

Nothing is evaluated, and edits of dicts that are not written out are left undone: the caller reads
the result and compares.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from mm_ckpt_migrate.configs.edits import Become, Drop, Edit, Path, by_path
from mm_ckpt_migrate.configs.read.source import parse_source
from mm_ckpt_migrate.configs.values import ConfigValue
from mm_ckpt_migrate.configs.write.literals import (
    Literal,
    NotEditableError,
    Setting,
    Source,
    items_of,
    literal_of,
    take_apart,
)
from mm_ckpt_migrate.configs.write.plain import block_source, value_source


def edited_source(text: str, edits: Iterable[Edit]) -> str:
    """Return `text` with the edits made that concern literals; all else stays byte for byte.

    Raises:
        NotEditableError: a literal is written in a way that cannot be edited.
        UnreadableError: the text is not Python.
    """
    return _Editor(text, by_path(edits)).text()


class _Editor:
    def __init__(self, text: str, table: Mapping[Path, list[Edit]]) -> None:
        self._module = parse_source(text)
        self._source = Source(text)
        self._table = table
        self._roots = {path[0] for path in table}

    def text(self) -> str:
        spans = []
        for statement in self._module.body:
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                name = statement.targets[0].id
                if name in self._roots:
                    spans.append((statement.value, self._rendered(statement.value, (name,))))
        return self._substituted(0, len(self._source.data), spans)

    def _rendered(self, node: ast.expr, path: Path) -> str:
        """The new text of a value."""
        literal = literal_of(node)
        if literal is not None and path in self._table:
            return self._around(node, literal, self._edited(literal, path))
        spans = [(item, self._rendered(item, inner)) for item, inner in _children(node, path)]
        return self._substituted(self._source.start(node), self._source.end(node), spans)

    def _around(self, node: ast.expr, literal: ast.expr, text: str) -> str:
        return self._substituted(self._source.start(node), self._source.end(node), [(literal, text)])

    def _substituted(self, start: int, end: int, spans: Iterable[tuple[ast.expr, str]]) -> str:
        parts = []
        for node, text in spans:
            parts += [self._source.text(start, self._source.start(node)), text]
            start = self._source.end(node)
        return "".join([*parts, self._source.text(start, end)])

    def _edited(self, literal: ast.Dict | ast.Call, path: Path) -> str:
        parts = take_apart(self._source, literal)
        parts.settings = [self._inner(setting, path) for setting in parts.settings]
        for edit in self._table[path]:
            if isinstance(edit, Drop):
                _drop(parts, edit.key)
            elif isinstance(edit, Become):
                self._become(parts, edit)
            else:
                _put(parts, edit.key, edit.value)
        return parts.text()

    def _inner(self, setting: Setting, path: Path) -> Setting:
        """The setting, with the edits made that concern dicts inside its value."""
        if setting.key is None:
            return setting
        value = setting.value
        old = self._source.text(self._source.start(value), self._source.end(value))
        new = self._rendered(value, (*path, setting.key))
        return replace(setting, written=new + setting.written[len(old) :])

    def _become(self, parts: Literal, edit: Become) -> None:
        number = _position(parts, edit.key)
        if number is None:
            return
        old = parts.settings[number]
        new: list[Setting] = []
        for name, position in edit.names:
            setting = replace(old.named(name), trail="")
            if position is not None:
                setting = setting.valued(self._element(old.value, edit, position))
            new.append(replace(setting, lead=_fresh_lead(parts)) if new else setting)
        new[-1] = replace(new[-1], trail=old.trail)
        parts.settings[number : number + 1] = new

    def _element(self, value: ast.expr, edit: Become, position: int) -> str:
        """The new text of what stands at a position in a list."""
        if not isinstance(value, (ast.List, ast.Tuple)) or position >= len(value.elts):
            raise NotEditableError("a list that is not written out")
        return self._rendered(value.elts[position], (*edit.path, edit.key, str(position)))


def _children(node: ast.expr, path: Path) -> Iterator[tuple[ast.expr, Path]]:
    literal = literal_of(node)
    if literal is not None:
        yield from ((value, (*path, key)) for key, value in items_of(literal) if key is not None)
    elif isinstance(node, (ast.List, ast.Tuple)):
        yield from ((item, (*path, str(number))) for number, item in enumerate(node.elts))


def _position(parts: Literal, key: str) -> int | None:
    return next((i for i, setting in enumerate(parts.settings) if setting.key == key), None)


def _drop(parts: Literal, key: str) -> None:
    """Take a setting out. The comments above it stay, as they may be about more than it."""
    number = _position(parts, key)
    if number is None:
        return
    gone = parts.settings.pop(number)
    if number < len(parts.settings):
        after = parts.settings[number]
        parts.settings[number] = replace(after, lead=_joined(gone.lead, after.lead, first=not number))
    elif "#" in gone.lead:
        if not parts.settings:
            parts.opening += gone.lead.rstrip()
        else:
            last = parts.settings[-1]
            parts.settings[-1] = replace(last, trail=last.trail + gone.lead.rstrip())


def _joined(gone: str, lead: str, *, first: bool) -> str:
    """What stands before a setting when the one before it, with the lead `gone`, is no more."""
    if "\n" not in lead or (first and "\n" not in gone and not lead.strip()):
        return gone + lead.lstrip()
    return gone.rstrip() + lead


def _put(parts: Literal, key: str, value: ConfigValue) -> None:
    number = _position(parts, key)
    if number is not None:
        parts.settings[number] = parts.settings[number].valued(value_source(value))
        return
    is_call = parts.opening.startswith("dict")
    name, join = (key, "=") if is_call else (repr(key), ": ")
    lead = _fresh_lead(parts)
    _, newline, indent = lead.rpartition("\n")
    written = block_source(value, indent) if newline else value_source(value)
    parts.settings.append(
        Setting(key=key, value=ast.Constant(None), lead=lead, name=name, join=join, written=written)
    )


def _fresh_lead(parts: Literal) -> str:
    """What stands before a setting that is put after others: as before those."""
    return parts.fresh_line() or (" " if parts.settings else "")
