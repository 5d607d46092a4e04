from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest

from eclair.errors import NotFound, StoreError
from eclair.storage.blobs import Blobs


@pytest.mark.parametrize("data", [b"", b"hello", b"\0" * 100_000], ids=["empty", "short", "long"])
async def test_what_is_put_is_got(tmp_path: Path, data: bytes) -> None:
    blobs = Blobs(tmp_path)
    name = await blobs.put(data)
    assert name == hashlib.sha256(data).hexdigest()
    assert await blobs.get(name) == data


def files(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


async def test_what_is_kept_twice_is_stored_once(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    names = await asyncio.gather(*(blobs.put(b"same") for _ in range(20)))
    assert len(set(names)) == 1
    assert files(tmp_path) == [names[0]]
    await blobs.delete(names[0])
    await blobs.delete(names[0])
    with pytest.raises(NotFound):
        await blobs.get(names[0])


@pytest.mark.parametrize("name", ["", "..", "../../etc/passwd", "A" * 64, "g" * 64, "a" * 63, "a" * 65])
async def test_a_name_is_a_hash(tmp_path: Path, name: str) -> None:
    blobs = Blobs(tmp_path)
    with pytest.raises(NotFound):
        await blobs.get(name)
    with pytest.raises(NotFound):
        await blobs.delete(name)


async def test_what_was_changed_on_disk_is_not_handed_out(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    name = await blobs.put(b"hello")
    (tmp_path / name[:2] / name).write_bytes(b"hullo")
    with pytest.raises(StoreError, match="changed on disk"):
        await blobs.get(name)


async def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("a file")
    with pytest.raises(StoreError, match="cannot be kept"):
        await Blobs(tmp_path / "blobs").put(b"hello")
