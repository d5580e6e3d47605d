"""Read as much of a file as there is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from mm_ckpt_migrate.errors import CheckpointError
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.files.checkpoint.open import Content, open_content
from mm_ckpt_migrate.files.pickles.build import elements, find, is_mapping, pairs, text_at
from mm_ckpt_migrate.files.pickles.nodes import List, Node, Text
from mm_ckpt_migrate.names import is_buffer

_MAX_SECTIONS: Final = 40
_NO_FROZEN_GROUPS: Final = (0, 10, 4)


def open_read(source: Source, content: Content) -> tuple[Checkpoint | None, str | None]:
    """The checkpoint, or why the file holds none.

    Raises:
        CheckpointError: a safetensors file is damaged.
    """
    try:
        return open_content(source, content), None
    except CheckpointError as error:
        if content.parsed is None:
            raise
        return None, error.reason


def experiments(checkpoint: Checkpoint) -> list[str]:
    """What its training was called: mostly its config's name, and the time."""
    meta = find(checkpoint.tree.root, "meta") if checkpoint.tree and checkpoint.tree.path else None
    named = (text_at(meta, "experiment_name"), text_at(meta, "exp_name"))
    return [name for name in named if name is not None]


def root_sections(root: Node) -> tuple[str, ...]:
    """The root's entries, where there are few."""
    if not is_mapping(root):
        return ()
    names = tuple(key.value for key, _ in pairs(root) if isinstance(key, Text))
    return names if len(names) <= _MAX_SECTIONS else ()


def may_hold_frozen_groups(root: Node | None, checkpoint: Checkpoint | None) -> bool:
    """Whether the optimizer has a group for each parameter, as mmengine made before 0.10.4.

    Then a frozen parameter has one, too; later releases make none for it.
    """
    groups = find(root, "optimizer", "param_groups") if root else None
    if checkpoint is None or not isinstance(groups, List):
        return False
    again = {name for group in checkpoint.schema.ties for name in group[1:]}
    names = set(checkpoint.schema.names) - again
    parameters = sum(not is_buffer(name) for name in names)
    return len(elements(groups)) == parameters and not _is_recent(checkpoint.versions)


def _is_recent(versions: Mapping[str, str]) -> bool:
    found = re.match(r"(\d+)\.(\d+)\.(\d)", versions.get("mmengine", ""))
    return found is not None and tuple(map(int, found.groups())) >= _NO_FROZEN_GROUPS
