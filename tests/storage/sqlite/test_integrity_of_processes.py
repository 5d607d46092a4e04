from __future__ import annotations

from pathlib import Path

from eclair.storage.base import Storage
from eclair.storage.open import open_storage


async def test_a_check_counts_for_every_process(storage: Storage, tmp_path: Path) -> None:
    other = open_storage(tmp_path / "store")
    try:
        await storage.integrity.check()
        assert not other.integrity.is_check_due
    finally:
        await other.close()
