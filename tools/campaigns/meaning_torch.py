"""Hold what this tool says a file means against the object that torch makes of it."""

from __future__ import annotations

import hashlib
import struct
from collections import OrderedDict
from typing import Any

from meaning_nodes import OPAQUE, Description

from mm_ckpt_migrate.names import safe_text

_PLAIN = ("str", "int", "float", "bool", "NoneType")


def difference(description: Description, loaded: object) -> str | None:
    """Where an object is not what the tool says; None where it is."""
    _, whole, path, named, config, versions, modules, _ = description
    comparer = _Comparer()
    found = comparer.same(whole, loaded, "object")
    return found or comparer.claims(loaded, path, named, config, versions, modules)


class _Comparer:
    def __init__(self) -> None:
        self.objects: dict[int, int] = {}
        self.storages: dict[str, int] = {}

    def same(self, said: Description, value: Any, where: str) -> str | None:
        kind = said[0]
        if kind == OPAQUE:
            return None
        if kind in _PLAIN:
            return None if _scalar(value) == said else f"{where} is {value!r}, not {said}"
        if kind == "tensor":
            return self._tensor(said, value, where)
        if kind == "tuple":
            return self._items(said[1], value, tuple, where)
        return self._shared(said, value, where)

    def claims(
        self, loaded: Any, path: Any, named: Any, config: Any, versions: Any, modules: Any
    ) -> str | None:
        """What the tool read of the object, looked up as a user of torch would look it up."""
        state = loaded
        for key in path:
            state = state[key]
        if list(state) != [name for name, _ in named]:
            return f"the state dict's keys are {list(state)}"
        for name, said in named:
            if found := self._tensor(said, state[name], f"state_dict[{name!r}]"):
                return found
        return self._modules(state, modules) or self._meta(loaded if path else {}, config, versions)

    def _modules(self, state: Any, said: Any) -> str | None:
        """A version that is no number is none, to us and to whoever compares it."""
        held = getattr(state, "_metadata", {})
        for path, version in said:
            if version is not None and held[path]["version"] != version:
                return f"_metadata[{path!r}] is {held[path]}, not {version}"
        return None

    def _meta(self, loaded: Any, config: Any, versions: Any) -> str | None:
        """Versions are compared as they are printed: with what a terminal would act on escaped."""
        if config is not None and config not in (loaded["meta"].get(k) for k in ("cfg", "config")):
            return f"the config is not {config!r}"
        meta = loaded.get("meta") if versions else None
        held = {
            safe_text(key.removesuffix("_version")): safe_text(value)
            for key, value in (meta or {}).items()
            if type(key) is str and key.endswith("_version") and isinstance(value, str)
        }
        return None if held == dict(versions) else f"its versions are {held}, not {versions}"

    def _items(self, said: Any, value: Any, kind: type[Any], where: str) -> str | None:
        if type(value) is not kind or len(value) != len(said):
            return f"{where} is {value!r:.80}, not a {kind.__name__} of {len(said)}"
        found = (
            self.same(one, item, f"{where}[{n}]")
            for n, (one, item) in enumerate(zip(said, value, strict=True))
        )
        return next(filter(None, found), None)

    def _shared(self, said: Description, value: Any, where: str) -> str | None:
        kind, number = said[:2]
        if self.objects.setdefault(number, id(value)) != id(value):
            return f"{where} is not object {number}"
        if kind == "again":
            return None
        if kind == "list":
            return self._items(said[2], value, list, where)
        made = dict if kind == "dict" else OrderedDict
        if type(value) is not made:
            return f"{where} is {value!r:.80}, not a {kind}"
        found = self._pairs(said[2], value, f"{where}.items()")
        if found is None and said[3]:
            found = self._pairs(said[3], vars(value), f"vars({where})")
        return found

    def _pairs(self, said: Any, mapping: Any, where: str) -> str | None:
        held = [part for entry in mapping.items() for part in entry]
        return self._items([part for entry in said for part in entry], held, list, where)

    def _tensor(self, said: Description, value: Any, where: str) -> str | None:
        import torch

        _, dtype, shape, stride, offset, key, content = said
        if not isinstance(value, torch.Tensor):
            return f"{where} is {value!r:.80}, not a tensor"
        told = (f"torch.{dtype}", shape, stride, offset)
        have = (str(value.dtype), tuple(value.shape), value.stride(), value.storage_offset())
        if told != have:
            return f"{where} is {have}, not {told}"
        storage = value.untyped_storage()
        if self.storages.setdefault(key, storage._cdata) != storage._cdata:
            return f"{where} does not lie in storage {key}"
        if hashlib.sha256(_content(storage)).hexdigest() != content:
            return f"{where} has other bytes than storage {key}"
        return None


def _content(storage: Any) -> bytes:
    import torch

    return bytes(torch.tensor([], dtype=torch.uint8).set_(storage).numpy().data)


def _scalar(value: Any) -> tuple[str, Any]:
    shown = struct.pack(">d", value) if type(value) is float else value
    return (type(value).__name__, shown)
