"""Metafiles: the `Weights` of an entry get the new file's name, and nothing else changes.

YAML writers change the layout of what they read (ruamel.yaml that of two thirds of the real
metafiles), so the parser only says where the URLs stand. They are replaced in the text, and
reading the result proves that it says the same but for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from mm_ckpt_migrate.errors import MissingSoftwareError
from mm_ckpt_migrate.zoo.links import Link, NewLinks, Patched, Replacement
from mm_ckpt_migrate.zoo.publication import ZooError

MAX_CHARACTERS: Final = 1 << 18
"""The largest metafile of mmseg and mmdet has 55,003."""
MAX_NODES: Final = 100_000
"""With aliases written out; the largest has 2,540."""

Node: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class _Part:
    """A node, and the name of the entry whose weights it is part of."""

    node: Node
    entry: str | None


@dataclass(frozen=True, slots=True)
class _Edit:
    """Text from `start` to `end` to be replaced."""

    start: int
    end: int
    new: str
    reported: Replacement


def patch_metafile(path: Path, text: str, links: NewLinks) -> Patched:
    """Rename the files in every `Weights`, be it a URL or a list of them.

    Args:
        path: for messages only.

    Raises:
        ZooError: the text holds an old name, and is no YAML or beyond any metafile's size; or a
            URL cannot be replaced where it stands.
        MissingSoftwareError: ruamel.yaml is not installed.
    """
    if not links.any_in(text):
        return Patched(text)
    if len(text) > MAX_CHARACTERS:
        raise ZooError(path, f"a metafile may have {MAX_CHARACTERS:,} characters at most")
    parts = list(_parts(path, text))
    # An alias leads to its anchor's place, which is to be edited once.
    edits = {edit.start: edit for edit in _edits(path, text, parts, links)}
    ordered = [edits[start] for start in sorted(edits)]
    new = _splice(text, ordered)
    if list(_outline(_parts(path, new), NewLinks())) != list(_outline(parts, links)):
        raise ZooError(
            path,
            "the new names would change more than the weights",
            hint="Write the URLs out, on one line each, instead of sharing them by an anchor.",
        )
    return Patched(new, tuple(edit.reported for edit in ordered))


def _edits(path: Path, text: str, parts: Iterable[_Part], links: NewLinks) -> Iterator[_Edit]:
    for part in parts:
        link = _link(part, links)
        if link is None:
            continue
        node, line = part.node, part.node.start_mark.line + 1
        start = text.rfind(node.value, node.start_mark.index, node.end_mark.index)
        if start < 0:
            raise ZooError(
                path,
                f"the URL of {link.old_name} is broken up or escaped",
                line=line,
                hint="Write it on one line, as it is.",
            )
        reported = Replacement(line, part.entry or "", link.old_name, link.new_name)
        yield _Edit(start, start + len(node.value), link.url, reported)


def _splice(text: str, edits: Iterable[_Edit]) -> str:
    pieces, end = [], 0
    for edit in edits:
        pieces += [text[end : edit.start], edit.new]
        end = edit.end
    return "".join([*pieces, text[end:]])


def _outline(parts: Iterable[_Part], links: NewLinks) -> Iterator[tuple[str, str | int]]:
    """What a metafile says once its weights are renamed: tags, and values or sizes."""
    for part in parts:
        node, link = part.node, _link(part, links)
        value = node.value if node.id == "scalar" else len(node.value)
        yield node.tag, link.url if link else value


def _link(part: _Part, links: NewLinks) -> Link | None:
    if part.entry is None or part.node.id != "scalar":
        return None
    return links.find(part.node.value)


def _parts(path: Path, text: str) -> Iterator[_Part]:
    """Every node, in order; aliases are written out, so that the count bounds them, too."""
    root = _compose(path, text)
    waiting = [_Part(root, None)] if root is not None else []
    count = 0
    while waiting:
        part = waiting.pop()
        yield part
        waiting += reversed(list(_children(part)))
        count += 1
        if count > MAX_NODES:
            raise ZooError(path, f"a metafile may hold {MAX_NODES:,} values at most")


def _children(part: _Part) -> Iterator[_Part]:
    node = part.node
    if node.id == "sequence":
        yield from (_Part(item, part.entry) for item in node.value)
    elif node.id == "mapping":
        for key, value in node.value:
            yield _Part(key, None)
            yield _Part(value, _name(node) if key.value == "Weights" else None)


def _name(mapping: Node) -> str:
    names = (v.value for k, v in mapping.value if k.value == "Name" and v.id == "scalar")
    return str(next(names, ""))


def _compose(path: Path, text: str) -> Node:
    try:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import MarkedYAMLError, YAMLError
    except ImportError as error:
        raise MissingSoftwareError(
            "patching a metafile needs ruamel.yaml", hint="Type: pip install 'mm-ckpt-migrate[zoo]'"
        ) from error
    try:
        return YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark, said = error.problem_mark, filter(None, (error.context, error.problem))
        raise ZooError(
            path, f"it is not YAML: {', '.join(said)}", line=mark.line + 1 if mark else None
        ) from None
    except RecursionError:
        raise ZooError(path, "it nests deeper than any metafile") from None
    except (YAMLError, ValueError, OverflowError) as error:
        reason = str(error).partition("\n")[0]
        raise ZooError(path, f"it is not YAML: {reason}") from None
