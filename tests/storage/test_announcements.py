"""Announcements: kept by their ids, in the order in which they begin."""

from __future__ import annotations

import pytest

from eclair.errors import NotFound
from eclair.schema.announcements import Announcement
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.base import Storage


async def test_an_announcement_is_added_replaced_and_deleted(storage: Storage) -> None:
    later = Announcement(id="b", level="urgent", language="de", texts={"de": "Später"}, begins=9, ends=99)
    first = Announcement(id="a", level="info", language="en", texts={"en": "Now", "fi": "Nyt"}, closable=False)
    for each in (later, first):
        stored = await storage.announcements.put_announcement(LOCAL_PRINCIPAL, each)
        assert stored.changed > 0
    assert [each.id for each in await storage.announcements.list_announcements()] == ["a", "b"]
    changed = Announcement(id="b", level="info", language="en", texts={"en": "Never mind"})
    stored = await storage.announcements.put_announcement(LOCAL_PRINCIPAL, changed)
    await storage.announcements.delete_announcement(LOCAL_PRINCIPAL, "a")
    assert await storage.announcements.list_announcements() == [stored]
    with pytest.raises(NotFound):
        await storage.announcements.delete_announcement(LOCAL_PRINCIPAL, "a")


def test_it_is_shown_from_its_beginning_until_its_end() -> None:
    found = Announcement(id="a", level="info", language="en", texts={"en": "Now"}, begins=10, ends=20)
    assert [found.is_shown(now) for now in (9, 10, 19, 20)] == [False, True, True, False]
