"""Feeds whose rows a disk has damaged."""

from __future__ import annotations

from pathlib import Path

from eclair.storage.open import open_storage
from tests.storage.helpers import ME, edit
from tests.storage.test_feeds import feed


async def test_a_damaged_feed_holds_up_no_other(tmp_path: Path) -> None:
    storage = open_storage(tmp_path)
    try:
        await storage.feeds.add_feeds(ME, [feed("a", due=10), feed("b", due=20), feed("c", due=30)])
        await edit(storage, "UPDATE feed SET title = CAST(x'fffe' AS TEXT) WHERE id = ?", feed("a").id)
        claimed = await storage.feeds.claim_due(100, 200)
        assert claimed is not None
        assert claimed.id == feed("b").id
        assert storage.integrity.damage is not None
        claimed = await storage.feeds.claim_due(100, 200)
        assert claimed is not None
        assert claimed.id == feed("c").id
        assert await storage.feeds.claim_due(100, 200) is None
        assert await storage.feeds.get_next_due() == 200, "the damaged one is left alone until then, too"
    finally:
        await storage.close()
