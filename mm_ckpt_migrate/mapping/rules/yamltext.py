"""YAML reduced to data: no anchors, no aliases, no tags, no duplicate keys, no surprises."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml

from mm_ckpt_migrate.errors import RuleError

MAX_BYTES: Final = 1 << 20
MAX_NODES: Final = 20_000
MAX_DEPTH: Final = 20

Location: TypeAlias = tuple[str | int, ...]


class YamlText:
    """A rule file's data, and the line that each part of it stands on.

    Raises:
        RuleError: the text is not the plain YAML that a rule file may be.
    """

    def __init__(self, path: Path, raw: bytes) -> None:
        self.path = path
        self.lines: dict[Location, int] = {}
        if len(raw) > MAX_BYTES:
            raise RuleError(path, None, f"a rule file may have {MAX_BYTES >> 20} MiB at most")
        if raw.startswith(b"\xef\xbb\xbf"):
            raise RuleError(path, 1, "it starts with a byte order mark", hint="Save it as plain UTF-8.")
        node = _compose(path, raw)
        if node is None:
            raise RuleError(path, None, "it is empty")
        self.data = self._plain(node, ())

    def line(self, location: Location) -> int | None:
        """1-based line of a part, or of the nearest part around it."""
        while location and location not in self.lines:
            location = location[:-1]
        return self.lines.get(location)

    def _plain(self, node: yaml.Node, location: Location) -> Any:
        self.lines[location] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, location)
        if isinstance(node, yaml.SequenceNode):
            return [self._plain(item, (*location, i)) for i, item in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, location: Location) -> dict[str, Any]:
        table: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else None
            line = key_node.start_mark.line + 1
            if not isinstance(key, str) or key == "<<":
                raise RuleError(self.path, line, "a key must be a plain word")
            here = (*location, key)
            if key in table:
                raise RuleError(self.path, line, f"{key!r} stands here and on line {self.lines[here]}")
            table[key] = self._plain(value_node, here)
            self.lines[here] = line
        return table

    def _scalar(self, node: yaml.Node) -> str | int | bool | None:
        tag, text = node.tag.rpartition(":")[2], str(node.value)
        if tag == "str":
            return text
        if tag == "int" and re.fullmatch(r"0|[1-9][0-9]{0,8}", text):
            return int(text)
        if tag == "bool" and text in ("true", "false"):
            return text == "true"
        if tag == "null" and text == "null":
            return None
        raise RuleError(
            self.path,
            node.start_mark.line + 1,
            f"YAML reads {text!r} as a {tag}",
            hint=f'Quote it where text is meant: "{text}".',
        )


def _compose(path: Path, raw: bytes) -> yaml.Node | None:
    line: int | None = None
    try:
        return _Loader(path, raw.decode("utf-8")).get_single_node()
    except UnicodeDecodeError:
        said = "it is not UTF-8"
    except yaml.reader.ReaderError as error:
        line = raw.decode("utf-8")[: error.position].count("\n") + 1
        said = "it is not YAML: it holds control characters"
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        said = f"it is not YAML: {error.problem}"
    except yaml.YAMLError as error:
        said = f"it is not YAML: {error}"
    raise RuleError(path, line, said)


class _PythonEvents(yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser):
    """The events of a text, where PyYAML was built without libyaml."""

    def __init__(self, text: str) -> None:
        yaml.reader.Reader.__init__(self, text)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)


# libyaml's take a third of the time. The type stubs do not know of them.
_Events: Any = vars(yaml.cyaml)["CParser"] if yaml.__with_libyaml__ else _PythonEvents


class _Loader(yaml.composer.Composer, _Events, yaml.resolver.Resolver):  # type: ignore[misc]
    """Composes nodes with budgets; PyYAML's own code recurses and expands without any."""

    def __init__(self, path: Path, text: str) -> None:
        _Events.__init__(self, text)
        yaml.composer.Composer.__init__(self)
        yaml.resolver.Resolver.__init__(self)
        self.path = path
        self.depth = 0
        self.count = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()
        line = event.start_mark.line + 1
        self.count += 1
        self.depth += 1
        if self.count > MAX_NODES or self.depth > MAX_DEPTH:
            raise RuleError(self.path, line, "a rule file may not be this large or nest this deep")
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise RuleError(self.path, line, "anchors and aliases are not allowed")
        if getattr(event, "tag", None) is not None:
            raise RuleError(self.path, line, f"tags such as {event.tag!r} are not allowed")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node
