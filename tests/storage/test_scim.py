"""Resources of a directory, by its names and ids, each changed only as it was last seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eclair.errors import Conflict, NotFound
from eclair.storage.base import Storage
from eclair.storage.scim import ScimRecord

ADA = ScimRecord(id="person_a", type="User", name="ada", external_id="7", body="{}", version=1, created=1, modified=1)


async def test_resources_are_found_by_name_and_by_the_directorys_id(storage: Storage) -> None:
    staff = replace(ADA, id="grp_s", type="Group", name="staff", external_id=None)
    await storage.scim.add_resource(ADA)
    await storage.scim.add_resource(staff)
    assert await storage.scim.get_resource("User", "person_a") == ADA
    assert await storage.scim.list_resources("User", "ada") == [ADA]
    assert await storage.scim.list_resources("User", external_id="7") == [ADA]
    assert await storage.scim.list_resources("User", "ben") == []
    assert await storage.scim.list_resources("Group") == [staff]
    assert await storage.scim.count_resources("User") == 1
    with pytest.raises(NotFound):
        await storage.scim.get_resource("Group", "person_a")
    with pytest.raises(Conflict):
        await storage.scim.add_resource(replace(ADA, id="person_b"))


async def test_a_resource_is_replaced_only_as_it_was_last_seen(storage: Storage) -> None:
    await storage.scim.add_resource(ADA)
    changed = replace(ADA, name="ada2", version=2, modified=5)
    assert await storage.scim.replace_resource(changed, 1)
    assert not await storage.scim.replace_resource(replace(changed, version=3), 1)
    assert await storage.scim.get_resource("User", "person_a") == changed
    await storage.scim.delete_resource("User", "person_a")
    with pytest.raises(NotFound):
        await storage.scim.delete_resource("User", "person_a")
