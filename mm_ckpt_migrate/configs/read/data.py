"""JSON and YAML configs as values."""

from __future__ import annotations

import json
from typing import Any, Final, cast

from mm_ckpt_migrate.configs.static.budget import Budget, UnreadableError
from mm_ckpt_migrate.configs.static.tree import plain_dict
from mm_ckpt_migrate.configs.values import Config

# PyYAML takes about ten times as long for a node as the reader of expressions does.
_YAML_NODE_STEPS: Final = 10
_YAML_KEYS: Final = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge")


def load_json(text: str, budget: Budget) -> Config:
    """Read a JSON config.

    Raises:
        OverBudgetError: it holds too much, or is nested too deeply.
        UnreadableError: it is not JSON, or not an object.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"not JSON: {error}") from error
    return _checked(value, budget)


def load_yaml(text: str, budget: Budget) -> Config:
    """Read a YAML config of plain values: no tags, no anchors, no aliases.

    Raises:
        OverBudgetError: it holds too much, or is nested too deeply.
        UnreadableError: it is not such YAML, or not a mapping.
    """
    # Imported here because few configs are YAML, and PyYAML takes longer than reading one.
    import yaml

    class Loader(yaml.SafeLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:
            event: Any = self.peek_event()  # type: ignore[no-untyped-call]
            if event.anchor:
                raise UnreadableError("YAML anchors and aliases are not read")
            # PyYAML fails with errors of Python's own where a value does not fit its tag.
            if getattr(event, "tag", None) is not None:
                raise UnreadableError("YAML tags are not read")
            budget.spend(_YAML_NODE_STEPS)
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            # Before it is made: a dict of chosen numbers would take long.
            for key, _ in node.value:
                if key.tag not in _YAML_KEYS:
                    kind = key.tag.rpartition(":")[2]
                    raise UnreadableError(f"a dict key is a {kind}, not a string")
            return super().construct_mapping(node, deep)

    try:
        value = Loader(text).get_single_data()
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UnreadableError(f"not plain YAML: {error}") from error
    return _checked(value, budget)


def _checked(value: object, budget: Budget) -> Config:
    if not isinstance(value, dict):
        raise UnreadableError(f"the file holds a {type(value).__name__}, not a dict")
    return plain_dict(cast(Config, value), budget)
