"""A short slice of the meaning campaign, and what it says of readers that torch disagrees with."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import meaning
from meaning_mutate import mutated
from meaning_objects import change_objects
from seeds import Parts
from support.streams import Storage, call, items, mapping, plain, stream, tensor, text
from support.zips import TWO_FLOATS

from mm_ckpt_migrate.files.checkpoint import open as opening
from mm_ckpt_migrate.files.checkpoint import policy
from mm_ckpt_migrate.files.pickles.parse import parse_whole

pytestmark = pytest.mark.mm
WEIGHTS = mapping({"w": tensor()})
TWICE = b"}" + items([(text("state_dict"), WEIGHTS), (text("state_dict"), WEIGHTS)])
GUISE = b"}" + items([(text("state_dict"), WEIGHTS), (call("builtins.str", text("state_dict")), b"}")])
HALVES = mapping({"state_dict": mapping({"w": tensor(Storage(kind="torch.HalfStorage", numel=4))})})


@pytest.fixture
def campaign(tmp_path: Path) -> Iterator[meaning.Campaign]:
    with closing(meaning.Campaign(meaning.streams(), 0, tmp_path)) as made:
        yield made


def made_of(body: bytes) -> Parts:
    return Parts(stream(body), {"0": TWO_FLOATS})


def test_a_slice(campaign: meaning.Campaign) -> None:
    tally = campaign.run(range(1200))
    assert tally.wrong == []
    asked = tally.counts["given to torch"]
    assert asked > 40
    assert tally.counts["torch reads the same: mmap=True, weights_only=False"] > asked / 2
    assert tally.counts["refused"] > tally.counts["accepted"] > asked


def test_unchanged_streams_are_read_in_all_modes(campaign: meaning.Campaign) -> None:
    for number, found in enumerate(campaign.streams):
        campaign.attempt(str(number), found.parts)
    assert campaign.tally.wrong == []
    count = len(campaign.streams)
    assert campaign.tally.counts["given to torch"] == count
    assert campaign.tally.counts["torch reads the same: mmap=False, weights_only=False"] == count


@pytest.mark.parametrize("body", [TWICE, GUISE], ids=["twice", "guise"])
def test_a_reader_that_takes_a_key_twice_is_accused(
    body: bytes, campaign: meaning.Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign.attempt("refused", made_of(body))
    assert campaign.tally.counts["given to torch"] == 0
    monkeypatch.setattr(opening, "check_keys_once", lambda node: None)
    monkeypatch.setattr(policy, "call_fault", lambda call: None)
    campaign.attempt("by hand", made_of(body))
    assert any(line.startswith("by hand, mmap=") for line in campaign.tally.wrong)


def test_a_reader_that_mistakes_the_element_type_is_accused(
    campaign: meaning.Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mm_ckpt_migrate.files.archive.dtypes import STORAGE_DTYPES

    monkeypatch.setitem(STORAGE_DTYPES, "HalfStorage", "bfloat16")
    campaign.attempt("by hand", made_of(HALVES))
    assert len(campaign.tally.wrong) == 4
    assert "torch.float16" in campaign.tally.wrong[0]


def test_what_a_pickle_attempts_is_told_and_does_not_happen(
    campaign: meaning.Campaign, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Were the list of harmless names broken, the process would still be confined."""
    monkeypatch.setattr(policy, "_HARMLESS", __import__("re").compile(".*"))
    monkeypatch.setattr(policy, "call_fault", lambda call: None)
    made = tmp_path / "made"
    call_it = call("os.mkdir", text(str(made)))
    campaign.attempt("by hand", made_of(mapping({"state_dict": WEIGHTS, "meta": call_it})))
    assert not made.exists()
    assert len([line for line in campaign.tally.wrong if "attempted" in line]) == 2


def test_a_process_that_dies_is_replaced(campaign: meaning.Campaign) -> None:
    whole = campaign.streams[0].parts
    campaign.attempt("first", whole)
    campaign.torch._process.kill()
    campaign.attempt("killed", made_of(mapping({"state_dict": WEIGHTS})))
    campaign.attempt("next", made_of(mapping({"state_dict": WEIGHTS, "meta": plain(1)})))
    assert campaign.tally.counts["torch refuses in every mode: the process dies"] == 1
    assert campaign.tally.counts["torch reads the same: mmap=True, weights_only=True"] == 2


def test_changes_are_many_and_the_same_each_time() -> None:
    streams = meaning.streams()
    made: list[Any] = [mutated(streams, random.Random(number)) for number in range(300)]
    assert made == [mutated(streams, random.Random(number)) for number in range(300)]
    assert len({parts.pickle for _, parts in made}) > 250
    assert {kind for kind, _ in made} == {"bytes", "opcodes", "splice", "objects"}


def test_changed_objects_can_be_read() -> None:
    whole = meaning.streams()[1].parts.pickle
    made = {change_objects(whole, random.Random(number)) for number in range(30)}
    readable = [stream for stream in made if _parses(stream)]
    assert len(readable) > len(made) / 2


def _parses(raw: bytes) -> bool:
    from mm_ckpt_migrate.files.pickles.errors import PickleError

    try:
        parse_whole(raw)
    except PickleError:
        return False
    return True
