from __future__ import annotations

from dataclasses import replace

import pytest

from eclair.errors import NotFound
from eclair.storage.base import Storage
from eclair.storage.shares import Share
from tests.support import conversation


async def test_a_share_is_read_by_whoever_knows_it_and_listed_for_its_owner(storage: Storage) -> None:
    await conversation(storage)
    share = Share("share_a", "local", "conv_a", "Bread", 5, None)
    await storage.shares.add_share(share, '{"messages":[]}')
    later = replace(share, id="share_b", created=6, expires=7)
    await storage.shares.add_share(later, "{}")
    assert await storage.shares.get_share("share_a") == (share, '{"messages":[]}')
    assert await storage.shares.list_shares("local") == [later, share]
    assert await storage.shares.list_shares("someone") == []
    with pytest.raises(NotFound):
        await storage.shares.add_share(replace(share, id="share_c", owner="someone"), "{}")
    with pytest.raises(NotFound):
        await storage.shares.delete_share("someone", "share_a")
    await storage.shares.delete_share("local", "share_a")
    with pytest.raises(NotFound):
        await storage.shares.get_share("share_a")
    await storage.conversations.delete_conversation("local", "conv_a")
    assert await storage.shares.list_shares("local") == []
    with pytest.raises(NotFound):
        await storage.shares.get_share("share_b")
