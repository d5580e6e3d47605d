"""X1 to X4: a slice of the corruption campaign, and what it says of readers that miss damage."""

from __future__ import annotations

import random

import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")

import corruption
from corruption_cases import bit_flips, blocks, truncations, zeroed
from seeds import Seed, seeds
from tally import Tally

from mm_ckpt_migrate.files.archive import legacy, transfer
from mm_ckpt_migrate.files.archive.image import Extent
from mm_ckpt_migrate.files.archive.source import Source

SEEDS = {seed.name: seed for seed in seeds()}


@pytest.mark.parametrize("name", SEEDS)
def test_a_slice(name: str) -> None:
    tally = Tally("")
    for task in corruption.tasks(400, 0, every=97):
        if task.seed.name == name:
            tally.update(corruption.run(task))
    assert tally.wrong == []
    cases = {what: times for what, times in tally.counts.items() if what.startswith("cases")}
    assert set(cases) == {f"cases: {kind}" for kind in ("bits", "lengths", "zeros", "blocks")}
    assert tally.counts["refused: lengths"] == cases["cases: lengths"]
    undetectable = [what for what in tally.counts if what.startswith("undetectable")]
    assert bool(undetectable) is not SEEDS[name].checked


def test_the_same_seeds_each_time() -> None:
    assert seeds() == list(SEEDS.values())


def test_every_bit_and_every_length_are_there() -> None:
    assert len({data for _, data in bit_flips(b"abc")}) == 24
    assert [data for _, data in truncations(b"abc")] == [b"", b"a", b"ab"]
    assert len(dict(zeroed(b"abc"))) == 6
    names = {name for name, _ in blocks(b"a" * 50, b"b" * 50, random.Random(0), 200)}
    assert len(names) > 190
    whole = sum(9 * len(seed.data) for seed in SEEDS.values())
    assert whole >= 250_000


def bits_of(seed: Seed, every: int) -> Tally:
    return corruption.Subject(seed).run("bits", bit_flips(seed.data, every))


def test_a_reader_that_checks_no_storage_is_accused(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_check(source: Source, extent: Extent) -> int:
        return extent.crc or 0

    monkeypatch.setattr(transfer, "_source_crc", no_check)
    tally = bits_of(SEEDS["zip of torch 1.6: weights"], 31)
    assert tally.wrong
    assert all("accepted with another meaning" in line for line in tally.wrong)


def test_a_reader_that_differs_from_torch_is_accused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a format has no checksum, torch itself is the judge of what a damaged file says."""

    def one_byte_off(*args: object) -> list[Extent]:
        found = locate(*args)  # type: ignore[arg-type]
        return [Extent(e.key, e.offset - 1, e.size) for e in found]

    locate = legacy._locate
    monkeypatch.setattr(legacy, "_locate", one_byte_off)
    tally = bits_of(SEEDS["legacy: weights"], 31)
    assert any("its own library reads" in line for line in tally.wrong)


def test_a_crash_is_accused(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = corruption.Subject(SEEDS["safetensors"])

    def crash(*_: object, **__: object) -> None:
        raise RecursionError("too deep")

    monkeypatch.setattr(corruption, "read", crash)
    tally = subject.run("bits", [("one", b"x")])
    assert tally.wrong == ["safetensors: one: crashed with RecursionError('too deep')"]
