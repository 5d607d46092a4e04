"""The branding: one of it, changed as a whole."""

from __future__ import annotations

from dataclasses import replace

from eclair.schema.branding import Branding
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.base import Storage


async def test_the_branding_is_edited(storage: Storage) -> None:
    assert await storage.branding.get_branding() == Branding()
    wanted = Branding(name="Town hall", accent="#123456", logo=b"png", source="abc")
    assert await storage.branding.edit_branding(LOCAL_PRINCIPAL, lambda _: wanted) == wanted
    await storage.branding.edit_branding(LOCAL_PRINCIPAL, lambda stored: replace(stored, logo=None, source=None))
    assert await storage.branding.get_branding() == Branding(name="Town hall", accent="#123456")
