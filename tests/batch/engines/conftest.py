"""A small zoo, what the local engine makes of it, and a real S3 server."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import done, fill, found_in, nobody, prepared
from support.files import golden_file

from mm_ckpt_migrate.batch.pool import Pool

CASES = ("detr_r18", "maskformer_r18", "yolact_r18", "rpn_r18")


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four genuine files, one of them in a folder, and one that is no checkpoint."""
    folder = tmp_path_factory.mktemp("zoo")
    (folder / "below").mkdir()
    for number, case in enumerate(CASES):
        shutil.copy(golden_file(case), folder / ("below" if number == 0 else "") / f"{case}.pth")
    (folder / "damaged.pth").write_bytes(b"PK\3\4 and no more")
    return folder


@pytest.fixture(scope="session")
def locally(zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    """The results of the local engine, and its outcomes."""
    batch = prepared(zoo, tmp_path_factory.mktemp("local"))
    with Pool(batch, 1, nobody) as pool:
        outcomes = done(pool, found_in(batch, pool))
    return batch.results, outcomes


@pytest.fixture(scope="module")
def s3(zoo: Path) -> Iterator[str]:
    """The URL of a bucket with the zoo in it, on a server process of its own."""
    pytest.importorskip("s3fs", reason="the urls extra is not installed")
    pytest.importorskip("moto", reason="there is no S3 server here")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    settings = {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        try:
            fill(port, zoo)
            yield "s3://zoo"
        finally:
            server.kill()
            server.wait()
