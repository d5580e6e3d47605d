"""Find the faults that metafiles alone show."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote

from mm_ckpt_migrate.audit.finding import Check, Finding, about
from mm_ckpt_migrate.zoo.entries import digest_in
from mm_ckpt_migrate.zoo.metafile import ZooModel
from mm_ckpt_migrate.zoo.read import Zoo

_SHOWN: Final = 3
# So alike are names with a slip of the pen, and no two models' names.
_ALIKE: Final = 0.985


def check_metafiles(zoo: Zoo) -> Iterator[Finding]:
    """Metafiles that cannot be read."""
    for fault in zoo.faults:
        place = fault.file if fault.line is None else f"{fault.file}:{fault.line}"
        yield Finding(Check.METAFILE, "", place, f"{fault.file} cannot be used: {fault.reason}")


def check_listed(zoo: Zoo) -> Iterator[Finding]:
    """Metafiles that the index does not list."""
    if zoo.listed is None:
        return
    for metafile, entries in _groups(zoo.models, lambda model: model.metafile):
        if metafile not in zoo.listed:
            sentence = f"the index does not list it: its {len(entries)} entries cannot be found"
            yield Finding(Check.UNLISTED, "", str(metafile), sentence)


def check_names(zoo: Zoo) -> Iterator[Finding]:
    """Names that several entries have, so that only one of them can be asked for."""
    for name, entries in _groups(zoo.models, lambda model: model.name or None):
        if len(entries) > 1:
            where = _few([_place(entry) for entry in entries[1:]])
            sentence = f"{len(entries)} entries are called {name}: also at {where}"
            files = dict.fromkeys(file for entry in entries for file in entry.files)
            yield about(entries[0], Check.NAME, sentence, tuple(files)[:_SHOWN])


def check_configs(zoo: Zoo) -> Iterator[Finding]:
    """Configs that are not there."""
    shipped = _shipped(zoo.root)
    for model in zoo.models:
        if not model.configs:
            yield about(model, Check.CONFIG, "it names no config")
        for config in model.configs:
            path = zoo.path(config)
            if path is None:
                yield about(model, Check.CONFIG, f"its config leads out of the zoo: {config}")
            elif not path.is_file():
                yield about(model, Check.CONFIG, f"there is no {config}{_meant(config, shipped)}")


def check_shared(zoo: Zoo) -> Iterator[Finding]:
    """Files of weights that several entries name; by the digest, where names have one.

    The weights of a tracker are those of its parts, which trackers rightly share.
    """
    for _, entries in _groups(zoo.models, _weights):
        if len(entries) > 1:
            others = _few([f"{entry.name} ({_place(entry)})" for entry in entries[1:]])
            configs = {entry.configs for entry in entries}
            same = ", for the same config" if len(configs) == 1 else ""
            sentence = f"{entries[0].file} is also the file of {others}{same}"
            yield about(entries[0], Check.SHARED, sentence)


def _weights(model: ZooModel) -> str | None:
    return model.file and (digest_in(model.file) or model.file)


def _groups(
    models: Iterable[ZooModel], key: Callable[[ZooModel], Hashable]
) -> Iterator[tuple[Hashable, list[ZooModel]]]:
    """Entries by a key that they share; those without one are left out."""
    found: dict[Hashable, list[ZooModel]] = {}
    for model in models:
        if key(model) is not None:
            found.setdefault(key(model), []).append(model)
    yield from found.items()


def _place(entry: ZooModel) -> str:
    return f"{entry.metafile}:{entry.line}"


def _few(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return ", ".join(texts[:_SHOWN]) + more


def _shipped(root: Path) -> dict[str, list[str]]:
    """The zoo's configs: the paths of each name."""
    found: dict[str, list[str]] = {}
    for folder, _, names in os.walk(root / "configs"):
        for name in names:
            path = (Path(folder) / name).relative_to(root).as_posix()
            found.setdefault(name, []).append(path)
    return found


def _meant(config: str, shipped: Mapping[str, Sequence[str]]) -> str:
    """Which config a wrong path may have been meant to name, to be added to a sentence."""
    name = unquote(PurePosixPath(config).name)
    paths = shipped.get(name, ())
    if len(paths) == 1:
        return f"; {paths[0]} is there"
    close = difflib.get_close_matches(name[:200], shipped, 1, _ALIKE) if not paths else []
    return f"; the nearest name is {close[0]}" if close else ""
