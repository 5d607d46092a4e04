from __future__ import annotations

from dataclasses import replace

import pytest

from eclair.errors import NotFound
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.base import Storage
from eclair.storage.shares import Share
from tests.storage.helpers import SOMEONE
from tests.support import conversation


async def test_a_share_is_read_by_whoever_knows_it_and_listed_for_its_owner(storage: Storage) -> None:
    await conversation(storage)
    share = Share("share_a", "local", "conv_a", "Bread", 5, None)
    await storage.shares.add_share(LOCAL_PRINCIPAL, share, '{"messages":[]}')
    later = replace(share, id="share_b", created=6, expires=7, reviewer="Ada")
    await storage.shares.add_share(LOCAL_PRINCIPAL, later, "{}")
    assert await storage.shares.get_share("share_a") == (share, '{"messages":[]}')
    assert await storage.shares.list_shares(LOCAL_PRINCIPAL) == [later, share]
    await storage.shares.count_reading("share_a")
    await storage.shares.count_reading("share_none")
    assert (await storage.shares.get_share("share_a"))[0] == replace(share, readings=1)
    assert await storage.shares.list_shares(SOMEONE) == []
    with pytest.raises(NotFound):
        await storage.shares.add_share(SOMEONE, replace(share, id="share_c", owner="someone"), "{}")
    with pytest.raises(NotFound):
        await storage.shares.delete_share(SOMEONE, "share_a")
    await storage.shares.delete_share(LOCAL_PRINCIPAL, "share_a")
    with pytest.raises(NotFound):
        await storage.shares.get_share("share_a")
    await storage.conversations.delete_conversation(LOCAL_PRINCIPAL, "conv_a")
    assert await storage.shares.list_shares(LOCAL_PRINCIPAL) == []
    with pytest.raises(NotFound):
        await storage.shares.get_share("share_b")
