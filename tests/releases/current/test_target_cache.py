"""The schema cache: quick, and never believed when it is not sound."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from mm_ckpt_migrate.releases.allowed.request import make_request
from mm_ckpt_migrate.releases.current import cache
from mm_ckpt_migrate.releases.current.stack import Stack

PAYLOAD: dict[str, Any] = {
    "tensors": [["a.weight", [2, 3], "float32"], ["b", [], "int64"]],
    "modules": {"": 1, "a": None},
    "ties": [["a.weight", "b"]],
    "parameters": ["a.weight", "b"],
    "frozen": ["b"],
    "stack": {"torch": "2.13.0"},
    "device": "cpu",
}
STACK = Stack({"torch": "2.13.0", "mmcv": "2.1.0"}, pinned=True)


def only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def test_what_is_stored_comes_back(own_cache: Path) -> None:
    cache.store("k", PAYLOAD)
    model = cache.load("k")
    assert model is not None
    assert model.cached
    assert [str(spec) for spec in model.schema.tensors] == ["a.weight float32[2, 3]", "b int64[]"]
    assert model.schema.modules == {"": 1, "a": None}
    assert model.schema.ties == (("a.weight", "b"),)
    assert (model.parameters, model.frozen) == (("a.weight", "b"), ("b",))
    assert model.stack == {"torch": "2.13.0"}
    assert only_file(own_cache).parent.stat().st_mode & 0o077 == 0


def test_an_unknown_key_is_absent() -> None:
    assert cache.load("k") is None


def test_every_flipped_byte_is_noticed(own_cache: Path) -> None:
    cache.store("k", PAYLOAD)
    path = only_file(own_cache)
    good = path.read_bytes()
    for index in range(len(good)):
        path.write_bytes(good[:index] + bytes([good[index] ^ 1]) + good[index + 1 :])
        assert cache.load("k") is None, index
    path.write_bytes(good)
    assert cache.load("k") is not None


@pytest.mark.parametrize("data", [b"", b"\n", b"{}\n{}", b"[" * 100_000 + b"\n", b"\xff\n\xff"])
def test_rubbish_is_absent(own_cache: Path, data: bytes) -> None:
    cache.store("k", PAYLOAD)
    only_file(own_cache).write_bytes(data)
    assert cache.load("k") is None


def test_an_entry_that_does_not_say_what_is_frozen_is_absent(own_cache: Path) -> None:
    cache.store("k", {name: value for name, value in PAYLOAD.items() if name != "frozen"})
    assert len(list(own_cache.iterdir())) == 1
    assert cache.load("k") is None


@pytest.mark.parametrize("payload", [b"[]", b"{}", b'{"tensors": [1]}', b"null"])
def test_a_payload_of_another_kind_is_absent(own_cache: Path, payload: bytes) -> None:
    cache.store("k", PAYLOAD)
    header = {"format": cache.FORMAT, "key": "k", "sha256": sha256(payload).hexdigest()}
    only_file(own_cache).write_bytes(json.dumps(header).encode() + b"\n" + payload)
    assert cache.load("k") is None


def test_a_file_under_another_key_is_absent(own_cache: Path) -> None:
    cache.store("k", PAYLOAD)
    only_file(own_cache).rename(own_cache / "other.json")
    assert cache.load("other") is None


def test_a_link_is_not_followed(own_cache: Path, tmp_path: Path) -> None:
    cache.store("k", PAYLOAD)
    path = only_file(own_cache)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert cache.load("k") is None


def test_someone_elses_file_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.store("k", PAYLOAD)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert cache.load("k") is None


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MM_CKPT_MIGRATE_CACHE", str(tmp_path / "file" / "below"))
    cache.store("k", PAYLOAD)
    assert cache.load("k") is None


def test_a_failed_write_leaves_nothing(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", broken)
    cache.store("k", PAYLOAD)
    assert list(own_cache.iterdir()) == []


def test_the_users_cache_folder_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MM_CKPT_MIGRATE_CACHE")
    assert cache.folder().parts[-2:] == ("mm-ckpt-migrate", "schemas")


def test_the_key_changes_with_everything_that_matters() -> None:
    request = make_request({"type": "ResNet", "n": (1,)}, "mmseg")
    other_stack = Stack({**STACK.versions, "torch": "2.14.0"}, pinned=True)
    compiled = Stack({**STACK.versions, "mmcv._ext": "compiled"}, pinned=True)
    keys = [
        cache.key(request, STACK),
        cache.key(request, other_stack),
        cache.key(request, compiled),
        cache.key(make_request({"type": "ResNet", "n": [1]}, "mmseg"), STACK),
        cache.key(make_request({"type": "ResNet", "n": (1,)}, "mmdet"), STACK),
        cache.key(make_request({"type": "ResNet", "n": (1,)}, "mmseg", imports="mmdet.x"), STACK),
    ]
    assert None not in keys
    assert len(set(keys)) == len(keys)


def test_the_key_forgets_pretrained_weights_and_the_configs_name() -> None:
    first = make_request({"type": "ResNet", "pretrained": "a"}, "mmseg", source="one.py")
    second = make_request({"type": "ResNet", "pretrained": "b"}, "mmseg", source="two.py")
    assert cache.key(first, STACK) == cache.key(second, STACK)


def test_code_that_may_change_unseen_is_not_cached() -> None:
    foreign = make_request({}, "mmseg", allow_imports=["mine"])
    assert cache.key(foreign, STACK) is None
    assert cache.key(make_request({}, "mmseg"), Stack(STACK.versions, pinned=False)) is None
