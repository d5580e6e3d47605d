"""YAML as a tree of text: nothing is turned into a number or a date, nothing is expanded.

Metafiles are written by hand and by scripts, so more is taken here than in a rule file; but an
alias, which a few bytes of can stand for gigabytes, is refused as there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import yaml

MAX_BYTES: Final = 4 << 20
MAX_NODES: Final = 200_000
MAX_DEPTH: Final = 50

# libyaml is 20 times as fast, where PyYAML was built with it.
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NOTHING: Final = ("null", "Null", "NULL", "~")


@dataclass(frozen=True, slots=True)
class Item:
    """A part of a YAML file, and its 1-based line. Nothing is the empty text."""

    value: Content
    line: int

    def __getitem__(self, key: str) -> Item:
        """What a mapping says of `key`; an empty item where it says nothing or is no mapping."""
        found = self.value.get(key) if isinstance(self.value, dict) else None
        return found or Item("", self.line)

    @property
    def text(self) -> str:
        return self.value if isinstance(self.value, str) else ""

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts of a list, or the text alone; without empty ones."""
        return tuple(item.text for item in self.items if item.text)

    @property
    def items(self) -> list[Item]:
        """The elements of a list; what is no list is its own element."""
        return self.value if isinstance(self.value, list) else [self]


Content: TypeAlias = "str | list[Item] | dict[str, Item]"


class YamlError(ValueError):
    """Text that is not plain YAML; `line` is 1-based, or None where that is not known."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


def read_yaml(raw: bytes) -> Item:
    """The first document of a file.

    Raises:
        YamlError: it is not YAML or not UTF-8, has anchors or aliases, or is larger or nested
            deeper than any genuine metafile.
    """
    if len(raw) > MAX_BYTES:
        raise YamlError(f"it is larger than {MAX_BYTES >> 20} MiB")
    try:
        events = yaml.parse(raw.decode("utf-8-sig"), Loader=_LOADER)
        return _tree(_checked(events))
    except UnicodeDecodeError:
        raise YamlError("it is not UTF-8") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise YamlError(f"it is not YAML: {error.problem}", mark.line + 1 if mark else None) from None
    except yaml.YAMLError:
        raise YamlError("it is not YAML: it holds control characters") from None


def _checked(events: Iterator[Any]) -> Iterator[Any]:
    depth = 0
    for number, event in enumerate(events):
        line = event.start_mark.line + 1
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if number > MAX_NODES or depth > MAX_DEPTH:
            raise YamlError("it holds more, or is nested deeper, than any genuine metafile", line)
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            raise YamlError("it has anchors or aliases", line)
        yield event
        if isinstance(event, yaml.DocumentEndEvent):
            return


def _tree(events: Iterator[Any]) -> Item:
    for event in events:
        if isinstance(event, yaml.NodeEvent):
            return _item(event, events)
    return Item("", 1)


def _item(event: Any, events: Iterator[Any]) -> Item:
    """The part that an event begins; takes the rest of its events."""
    line = event.start_mark.line + 1
    if isinstance(event, yaml.ScalarEvent):
        plain = event.implicit[0] and event.value in _NOTHING
        return Item("" if plain else event.value, line)
    if isinstance(event, yaml.SequenceStartEvent):
        return Item([_item(below, events) for below in _until(yaml.SequenceEndEvent, events)], line)
    table: dict[str, Item] = {}
    for key in _until(yaml.MappingEndEvent, events):
        if not isinstance(key, yaml.ScalarEvent):
            raise YamlError("a key must be text", key.start_mark.line + 1)
        table[key.value] = _item(next(events), events)
    return Item(table, line)


def _until(end: type, events: Iterator[Any]) -> Iterator[Any]:
    for event in events:
        if isinstance(event, end):
            return
        yield event
