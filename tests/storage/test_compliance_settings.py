from __future__ import annotations

from eclair.storage.base import Storage
from tests.storage.helpers import ME


async def test_what_was_chosen_is_replaced_as_a_whole(storage: Storage) -> None:
    assert await storage.compliance_settings.get_compliance_settings() == {}
    await storage.compliance_settings.put_compliance_settings(ME, {"organisation": "Ministry"})
    await storage.compliance_settings.put_compliance_settings(ME, {"use_warnings": "warn"})
    assert await storage.compliance_settings.get_compliance_settings() == {"use_warnings": "warn"}
    (act, *_) = await storage.audit.list_acts_after(0, 9)
    assert (act.action, act.object) == ("settings.changed", "compliance")
