"""Saved prompts: everybody has their own; viewers use, editors change and owners share and delete them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest
import pytest_asyncio

from eclair.schema.principal import Principal
from eclair.settings import Settings
from tests.server.test_accounts import member, set_up
from tests.support import JSON, Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

LETTER = {"name": "letter", "text": "Write to {{who}}."}


@pytest_asyncio.fixture(loop_scope="module")
async def house(settings: Settings) -> AsyncGenerator[Server]:
    async with serving(replace(settings, accounts="on")) as server:
        yield server


async def test_a_prompt_is_added_changed_and_deleted(fresh: Server) -> None:
    added = await fresh.post("/api/prompts", LETTER)
    assert added.status == 201, added
    assert {**added.body, "id": "", "created": 0} == {**LETTER, "id": "", "created": 0, "access": "own", "owner": None}
    assert (await fresh.get("/api/prompts")).body == [added.body]
    assert (await fresh.get("/api/preferences")).body["prompts"] == [LETTER], "clients of earlier versions read it"
    path = f"/api/prompts/{added.body['id']}"
    changed = await fresh.call("PUT", path, {"name": "mail", "text": "Hello"})
    assert changed.body == {**added.body, "name": "mail", "text": "Hello"}
    twice = await fresh.post("/api/prompts", {"name": "MAIL", "text": "x"})
    assert (twice.status, "choose another name" in twice.error["message"]) == (409, True)
    assert (await fresh.call("DELETE", path)).status == 204
    assert (await fresh.call("DELETE", path)).status == 404
    assert (await fresh.get("/api/prompts")).body == []


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"name": "two words", "text": "x"}, "name"),
        ({"name": "a" * 41, "text": "x"}, "name"),
        ({"name": "a", "text": ""}, "text"),
        ({"name": "a", "text": "x" * 20_001}, "text"),
        ({"name": "a", "text": "x\0"}, "text"),
        ({"name": "a", "text": "x", "owner": "me"}, "owner"),
    ],
)
async def test_what_is_wrong_is_named(fresh: Server, wrong: JSON, name: str) -> None:
    reply = await fresh.post("/api/prompts", wrong)
    assert (reply.status, reply.error["param"]) == (400, name)


async def test_a_shared_prompt_is_used_changed_and_taken_back(house: Server) -> None:
    admin = await set_up(house)
    _, owner = await member(house, admin, "ada-b")
    ben, headers = await member(house, admin, "ben")
    id = (await house.post("/api/prompts", LETTER, headers=owner)).body["id"]
    path = f"/api/prompts/{id}"
    assert (await house.get("/api/prompts", headers)).body == []
    assert (await house.call("PUT", path, LETTER, headers=headers)).status == 404
    shares = f"{path}/shares/person:{ben}"
    assert (await house.call("PUT", shares, {"access": "view"}, headers=owner)).status == 204
    (seen,) = (await house.get("/api/prompts", headers)).body
    assert (seen["text"], seen["access"], seen["owner"]) == (LETTER["text"], "view", "ada-b")
    assert (await house.get("/api/preferences", headers)).body["prompts"] == []
    assert (await house.call("PUT", path, LETTER, headers=headers)).status == 403
    assert (await house.call("PUT", shares, {"access": "edit"}, headers=owner)).status == 204
    changed = await house.call("PUT", path, {"name": "letter", "text": "Dear {{who}}"}, headers=headers)
    assert (changed.status, changed.body["access"]) == (200, "edit")
    assert (await house.call("DELETE", path, headers=headers)).status == 403
    assert (await house.get(f"{path}/shares", headers)).status == 403
    listed = (await house.get(f"{path}/shares", owner)).body["shares"]
    assert listed == [{"subject": f"person:{ben}", "name": "ben", "access": "edit"}]
    assert (await house.call("DELETE", shares, headers=owner)).status == 204
    assert (await house.get("/api/prompts", headers)).body == []


async def test_a_right_hides_a_prompt_and_sharing_itself(house: Server) -> None:
    admin = await set_up(house)
    _, owner = await member(house, admin, "ada-b")
    ben, headers = await member(house, admin, "ben")
    id = (await house.post("/api/prompts", LETTER, headers=owner)).body["id"]
    path = f"/api/prompts/{id}/shares/everyone"
    await house.post("/api/grants", {"subject": "everyone", "object": "share", "effect": "deny"}, headers=admin)
    assert (await house.call("PUT", path, {"access": "view"}, headers=owner)).status == 403
    for each in (await house.get("/api/grants", admin)).body["grants"]:
        await house.call("DELETE", f"/api/grants/{each['id']}", headers=admin)
    assert (await house.call("PUT", path, {"access": "view"}, headers=owner)).status == 204
    denied = {"subject": f"person:{ben}", "object": f"prompt:{id}", "effect": "deny"}
    assert (await house.post("/api/grants", denied, headers=admin)).status == 201
    assert (await house.get("/api/prompts", headers)).body == []
    assert [each["id"] for each in (await house.get("/api/prompts", admin)).body] == [id]


async def test_a_prompt_goes_with_its_owner_and_a_share_with_whom_it_was_for(house: Server) -> None:
    admin = await set_up(house)
    ada, owner = await member(house, admin, "ada-b")
    ben, headers = await member(house, admin, "ben")
    id = (await house.post("/api/prompts", LETTER, headers=owner)).body["id"]
    await house.call("PUT", f"/api/prompts/{id}/shares/person:{ben}", {"access": "view"}, headers=owner)
    await house.app.storage.personal_data.erase_rows(Principal(ben))
    assert (await house.get(f"/api/prompts/{id}/shares", owner)).body["shares"] == []
    await house.app.storage.personal_data.erase_rows(Principal(ada))
    assert await house.app.storage.prompts.list_prompts(Principal(ada)) == []
    assert (await house.get("/api/prompts", headers)).status == 401
