"""The packed tables: small, whole, and consistent."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from counterparts import counterparts

from mm_ckpt_migrate.identify.layouts import table as module
from mm_ckpt_migrate.identify.layouts.table import LAYOUTS, Table
from mm_ckpt_migrate.identify.layouts.weights import WEIGHTS

CONFIGS = {
    "mmdet-2.28.2": 625,
    "mmdet-3.0.0rc4": 639,
    "mmdet-3.3.0": 781,
    "mmsegmentation-0.30.0": 644,
    "mmsegmentation-1.0.0rc4": 660,
    "mmsegmentation-1.2.2": 679,
}


def test_it_is_small() -> None:
    assert LAYOUTS.stat().st_size + WEIGHTS.stat().st_size < 200_000


def test_every_config_of_six_releases(table: Table) -> None:
    assert {release: len(configs) for release, configs in table.releases.items()} == CONFIGS
    assert {n for configs in table.releases.values() for n in configs.values()} == set(range(820))


def test_layouts_are_distinct_and_of_their_size(table: Table) -> None:
    seen = set()
    for number in range(len(table)):
        schema = table.schema(number)
        assert len(set(schema.names)) == len(schema) == table.sizes[number]
        assert set(table.parameters(number)) <= set(schema.names)
        assert all(name in schema for group in schema.ties for name in group)
        seen.add((schema.tensors, schema.ties))
    assert len(seen) == 820


@pytest.mark.parametrize("release", [r for r in CONFIGS if not r.endswith(("3.3.0", "1.2.2"))])
def test_counterparts_are_configs_of_the_current_release(table: Table, release: str) -> None:
    now = table.releases[table.current(release)]
    found = table.counterparts[release]
    assert found.keys() <= table.releases[release].keys()
    assert set(found.values()) <= now.keys()
    assert len(found) > 0.9 * CONFIGS[release]


def test_names_go_before_files() -> None:
    """mmsegmentation 1.2.2 gives an R50 the file of an R101."""
    old = {"psp/psp_r101_512x1024_40k_city.py": 1, "psp/lone_8x2.py": 1, "psp/two.py": 1}
    new = {
        "psp/psp_r101_4xb2-40k_city-512x1024.py": 1,
        "psp/psp_r50_4xb2-40k_city-512x1024.py": 2,
        "psp/other.py": 3,
        "psp/two_4xb2.py": 1,
        "psp/two_8xb2.py": 1,
    }
    weights = {
        "mmdet-2.28.2": {
            "a_2020-11111111.pth": "psp/psp_r101_512x1024_40k_city.py",
            "b_2020-22222222.pth": "psp/lone_8x2.py",
        },
        "mmdet-3.3.0": {
            "a_2020-11111111.pth": "psp/psp_r50_4xb2-40k_city-512x1024.py",
            "b_2020-33333333.pth": "psp/other.py",
        },
    }
    found = counterparts({"mmdet-2.28.2": old, "mmdet-3.3.0": new}, weights)
    assert found == {
        "mmdet-2.28.2": {
            "psp/psp_r101_512x1024_40k_city.py": "psp/psp_r101_4xb2-40k_city-512x1024.py",
            "psp/lone_8x2.py": "psp/other.py",
        }
    }


@pytest.mark.parametrize("path", [LAYOUTS, WEIGHTS], ids=lambda path: path.name)
def test_the_files_are_packed_the_same_every_time(path: Path) -> None:
    data = json.loads(gzip.decompress(path.read_bytes()))
    text = json.dumps(data, separators=(",", ":")).encode()
    assert gzip.decompress(path.read_bytes()) == text
    assert path.read_bytes()[4:8] == bytes(4)  # no time of the day


def test_the_table_is_read_once() -> None:
    assert module.load_table() is module.load_table()
