"""The metrics of a metafile, against those in the README's tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from mm_ckpt_migrate.audit.finding import Check, Finding, about
from mm_ckpt_migrate.zoo.metafile import ZooModel
from mm_ckpt_migrate.zoo.read import Zoo
from mm_ckpt_migrate.zoo.readme import Row, read_rows


def check_metrics(zoo: Zoo) -> Iterator[Finding]:
    """Metrics that differ, where one row and one entry name the file, so that no other is meant."""
    known: dict[Path, dict[str, Row]] = {}
    uses = Counter(file for model in zoo.models for file in model.files)
    for model in zoo.models:
        path = readme_of(zoo, model)
        if path is None or model.file is None or uses[model.file] > 1:
            continue
        if path not in known:
            known[path] = _only_rows(path)
        row = known[path].get(model.file)
        if row is not None:
            yield from _compare(model, row, path.relative_to(zoo.root).as_posix())


def readme_of(zoo: Zoo, model: ZooModel) -> Path | None:
    """The README that an entry names, or the one beside its metafile."""
    beside = (PurePosixPath(model.metafile).parent / "README.md").as_posix()
    paths = (zoo.path(name) for name in (model.readme, beside) if name)
    return next((path for path in paths if path and path.is_file()), None)


def _only_rows(path: Path) -> dict[str, Row]:
    """The rows whose file no other row names."""
    rows = read_rows(path)
    uses = Counter(row.file for row in rows)
    return {row.file: row for row in rows if uses[row.file] == 1}


def _compare(model: ZooModel, row: Row, readme: str) -> Iterator[Finding]:
    names = Counter(metric.name for metric in model.metrics)
    columns = {_spelled(head): value for head, value in row.metrics.items()}
    for metric in model.metrics:
        shown = columns.get(_spelled(metric.name))
        if names[metric.name] == 1 and shown is not None and not same(shown, metric.value):
            sentence = f"its {metric.name} is {metric.value} here, and {shown} in {readme}:{row.line}"
            yield about(model, Check.METRIC, sentence)


def same(left: float, right: float) -> bool:
    """Whether two numbers agree to the digits that both have."""
    digits = min(_decimals(left), _decimals(right))
    return abs(left - right) <= 0.5 * 10**-digits + 1e-9 if left != right else True


def _decimals(value: float) -> int:
    return len(f"{value:.10f}".rstrip("0").partition(".")[2])


def _spelled(name: str) -> str:
    """READMEs write `box mAP` where metafiles write `box AP`."""
    return "".join(name.lower().split()).replace("map", "ap")
