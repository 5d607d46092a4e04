from __future__ import annotations

from dataclasses import replace

import pytest

from eclair.errors import Conflict, NotFound
from eclair.schema.audit import ActFilter
from eclair.storage.audit_destinations import StoredDestination
from eclair.storage.base import Storage
from tests.storage.helpers import ME

SIEM = StoredDestination(id="destination_a", kind="webhook", target="https://siem.example.org/", key=b"\x00encrypted")


async def test_destinations_are_kept_changed_and_removed_with_an_act_each(storage: Storage, other: Storage) -> None:
    await storage.audit_destinations.set_destination(ME, SIEM)
    assert await other.audit_destinations.list_destinations() == [SIEM]
    changed = replace(SIEM, target="https://siem.example.eu/", key=None)
    await other.audit_destinations.set_destination(ME, changed)
    assert await storage.audit_destinations.list_destinations() == [changed]
    with pytest.raises(Conflict, match="gets the audit log already"):
        await storage.audit_destinations.set_destination(ME, replace(changed, id="destination_b"))
    await storage.audit_destinations.remove_destination(ME, SIEM.id)
    with pytest.raises(NotFound):
        await storage.audit_destinations.remove_destination(ME, SIEM.id)
    acts = await storage.audit.list_acts(ActFilter(action="audit.delivery_changed"), 9)
    assert [(act.object, act.details.get("removed", False)) for act in acts] == [
        (SIEM.id, True),
        (SIEM.id, False),
        (SIEM.id, False),
    ]
