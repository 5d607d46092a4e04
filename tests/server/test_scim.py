"""A directory provisions people and groups over SCIM 2.0: checked by a tester of its own, and by what comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import httpx2
import pytest_asyncio
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server

from eclair.accounts.pending_sign_ins import MissingStep
from eclair.accounts.sessions import Visitor
from eclair.accounts.sign_in import JoinPolicy
from eclair.schema.people import ProvidedIdentity
from eclair.settings import Settings
from tests.server.test_accounts import PASSWORD, Headers, set_up
from tests.support import JSON, Server, serving

SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


@pytest_asyncio.fixture
async def house(settings: Settings) -> AsyncGenerator[Server]:
    async with serving(replace(settings, accounts="on")) as server:
        yield server


async def directory(server: Server) -> tuple[Headers, Headers]:
    """Set up; the headers of the administrator's browser, and of the directory."""
    admin = await set_up(server)
    made = await server.post("/api/keys", {"name": "entra", "scope": "scim"}, headers=admin)
    return admin, {"Authorization": f"Bearer {made.body['secret']}", "Content-Type": "application/scim+json"}


async def provision(server: Server, headers: Headers, name: str = "ada.l@example.org", **more: Any) -> JSON:
    body = {"schemas": [SCHEMA], "userName": name, "externalId": f"x-{name}", "displayName": "Ada L.", **more}
    reply = await server.post("/scim/v2/Users", body, headers=headers)
    assert reply.status == 201, reply
    made: JSON = reply.body
    return made


async def change(server: Server, headers: Headers, path: str, *operations: JSON) -> JSON:
    body = {"schemas": [PATCH], "Operations": operations}
    reply = await server.call("PATCH", f"/scim/v2/{path}", body, headers=headers)
    assert reply.status in (200, 204), reply
    found: JSON = (await server.get(f"/scim/v2/{path}", headers)).body
    return found


async def test_the_tester_of_the_protocol_finds_nothing_wrong(house: Server) -> None:
    _, headers = await directory(house)

    def check() -> list[str]:
        with httpx2.Client(base_url=f"{house.address}/scim/v2", headers=headers, timeout=60) as http:
            results = check_server(SyncSCIMClient(http))
        assert len(results) > 100
        return [f"{each.title}: {each.reason}" for each in results if each.status in (Status.ERROR, Status.CRITICAL)]

    found = await asyncio.to_thread(check)
    assert not found, "\n".join(found)


async def test_a_leaver_is_locked_with_sessions_and_keys_and_can_come_back(house: Server) -> None:
    admin, headers = await directory(house)
    user = await provision(house, headers, emails=[{"value": "Ada@Example.org", "primary": True}])
    person = (await house.get(f"/api/people/{user['id']}", admin)).body
    assert (person["name"], person["display_name"], person["email"]) == (
        "ada.l@example.org",
        "Ada L.",
        "ada@example.org",
    )
    code = (await house.post(f"/api/people/{user['id']}/password-code", headers=admin)).body["code"]
    await house.post("/api/session/redeem", {"code": code, "password": PASSWORD})
    assert len((await house.get(f"/api/people/{user['id']}/sessions", admin)).body["sessions"]) == 1
    changed = await change(house, headers, f"Users/{user['id']}", {"op": "replace", "path": "active", "value": False})
    assert changed["active"] is False
    assert (await house.get(f"/api/people/{user['id']}", admin)).body["locked"] is not None
    assert (await house.get(f"/api/people/{user['id']}/sessions", admin)).body["sessions"] == []
    await change(house, headers, f"Users/{user['id']}", {"op": "replace", "value": {"active": True}})
    assert (await house.get(f"/api/people/{user['id']}", admin)).body["locked"] is None


async def test_somebody_the_directory_deletes_is_locked_and_taken_over_when_they_return(house: Server) -> None:
    admin, headers = await directory(house)
    user = await provision(house, headers)
    assert (await house.call("DELETE", f"/scim/v2/Users/{user['id']}", headers=headers)).status == 204
    assert (await house.get(f"/scim/v2/Users/{user['id']}", headers)).status == 404
    assert (await house.get(f"/api/people/{user['id']}", admin)).body["locked"] is not None
    again = await provision(house, headers)
    assert again["id"] == user["id"]
    assert (await house.get(f"/api/people/{user['id']}", admin)).body["locked"] is None


async def test_groups_are_filled_and_people_of_the_house_are_left_alone(house: Server) -> None:
    admin, headers = await directory(house)
    user = await provision(house, headers)
    body = {"schemas": [GROUP], "displayName": "Law", "members": [{"value": user["id"]}]}
    group = (await house.post("/scim/v2/Groups", body, headers=headers)).body
    assert [each["value"] for each in group["members"]] == [user["id"]]
    (listed,) = (await house.get("/api/groups", admin)).body["groups"]
    assert (listed["name"], listed["origin"], listed["members"]) == ("Law", "scim", 1)
    removal = {"op": "remove", "path": f'members[value eq "{user["id"]}"]'}
    assert not (await change(house, headers, f"Groups/{group['id']}", removal)).get("members")
    taken = {"schemas": [SCHEMA], "userName": "ada"}
    reply = await house.post("/scim/v2/Users", taken, headers=headers)
    assert (reply.status, reply.body["scimType"]) == (409, "uniqueness")
    assert (await house.get("/scim/v2/Users/local", headers)).status == 404
    unknown = {"schemas": [GROUP], "displayName": "Ghosts", "members": [{"value": "nobody"}]}
    assert (await house.post("/scim/v2/Groups", unknown, headers=headers)).status == 400
    assert len((await house.get("/api/groups", admin)).body["groups"]) == 1


async def test_only_a_key_for_scim_opens_the_door_and_no_other(house: Server) -> None:
    admin, headers = await directory(house)
    assert (await house.get("/api/people", headers)).status == 403
    plain = (await house.post("/api/keys", {"name": "laptop"}, headers=admin)).body["secret"]
    reply = await house.get("/scim/v2/Users", {"Authorization": f"Bearer {plain}"})
    assert (reply.status, reply.body["schemas"]) == (403, ["urn:ietf:params:scim:api:messages:2.0:Error"])
    assert (await house.get("/scim/v2/Users")).status == 401


async def test_an_identity_provider_that_shares_the_directorys_ids_finds_the_person(house: Server) -> None:
    _, headers = await directory(house)
    user = await provision(house, headers)
    said = ProvidedIdentity(
        issuer="oidc:https://id.example", subject=user["externalId"], name="other", display_name="Ada L."
    )
    policy = JoinPolicy(may_join=False, links_by_provisioning=True)
    begun = await house.app.accounts.sign_in.with_identity(said, Visitor("192.0.2.1"), policy)
    assert not isinstance(begun, MissingStep)
    assert begun.person.id == user["id"]
