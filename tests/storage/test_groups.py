"""Groups and their members; a sync touches the groups of its own origin."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eclair.errors import Conflict, NotFound
from eclair.schema.people import PersonGroup
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.base import Storage
from tests.storage.test_people import ADA, BEN, add

ISSUER = "oidc:https://id"
STAFF = PersonGroup(id="grp_s", name="Staff", origin="local", created=1)
LAW = PersonGroup(id="grp_l", name="Law", origin="local", created=2)


async def make(storage: Storage) -> None:
    await add(storage, ADA, BEN)
    for group in (STAFF, LAW):
        await storage.groups.add_group(LOCAL_PRINCIPAL, group)


async def test_groups_are_listed_searched_renamed_and_deleted(storage: Storage) -> None:
    await make(storage)
    assert await storage.groups.list_groups(1) == [LAW]
    assert await storage.groups.list_groups(5, after="grp_l") == [STAFF]
    assert await storage.groups.list_groups(5, "TAF") == [STAFF]
    assert await storage.groups.find_group("local", "Law") == LAW
    assert await storage.groups.find_group(ISSUER, "Law") is None
    await storage.groups.rename_group(LOCAL_PRINCIPAL, "grp_l", "Legal")
    assert (await storage.groups.get_group("grp_l")).name == "Legal"
    with pytest.raises(Conflict):
        await storage.groups.rename_group(LOCAL_PRINCIPAL, "grp_l", "Staff")
    with pytest.raises(Conflict):
        await storage.groups.add_group(LOCAL_PRINCIPAL, replace(STAFF, id="grp_x"))
    await storage.groups.delete_group(LOCAL_PRINCIPAL, "grp_l")
    with pytest.raises(NotFound):
        await storage.groups.delete_group(LOCAL_PRINCIPAL, "grp_l")


async def test_members_come_and_go(storage: Storage) -> None:
    await make(storage)
    await storage.groups.add_members(LOCAL_PRINCIPAL, "grp_s", ["local", "person_b", "local"])
    assert await storage.groups.list_members("grp_s", 1) == [ADA]
    assert sorted(await storage.groups.list_member_ids("grp_s")) == sorted([ADA.id, BEN.id])
    assert await storage.groups.list_member_ids("grp_none") == []
    assert await storage.groups.list_members("grp_s", 5, after="local") == [BEN]
    assert (await storage.groups.get_group("grp_s")).members == 2
    assert await storage.groups.list_groups_of("person_b") == [replace(STAFF, members=2)]
    facts = await storage.people.find_facts("person_b")
    assert facts is not None
    assert facts.groups == {"grp_s"}
    await storage.groups.remove_member(LOCAL_PRINCIPAL, "grp_s", "local")
    await storage.groups.set_members(LOCAL_PRINCIPAL, "grp_l", ["local"])
    await storage.groups.set_members(LOCAL_PRINCIPAL, "grp_l", ["person_b"])
    assert await storage.groups.list_members("grp_l", 5) == [BEN]
    with pytest.raises(NotFound):
        await storage.groups.add_members(LOCAL_PRINCIPAL, "grp_s", ["nobody"])
    await storage.people.delete_person(LOCAL_PRINCIPAL, "person_b")
    assert (await storage.groups.get_group("grp_l")).members == 0


async def test_a_sync_makes_and_leaves_groups_of_its_own_origin_only(storage: Storage) -> None:
    await make(storage)
    await storage.groups.add_members(LOCAL_PRINCIPAL, "grp_s", ["person_b"])
    assert await storage.groups.sync_groups(LOCAL_PRINCIPAL, "person_b", ISSUER, ["Staff", "New"], 5)
    assert not await storage.groups.sync_groups(LOCAL_PRINCIPAL, "person_b", ISSUER, ["New", "Staff"], 6)
    found = {(group.name, group.origin) for group in await storage.groups.list_groups_of("person_b")}
    assert found == {("New", ISSUER), ("Staff", ISSUER), ("Staff", "local")}
    assert await storage.groups.sync_groups(LOCAL_PRINCIPAL, "person_b", ISSUER, [], 7)
    assert await storage.groups.list_groups_of("person_b") == [replace(STAFF, members=1)]
