"""Emergency reads: nobody reads another person's conversations alone, for long, or without that person's knowledge."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest
import pytest_asyncio

from eclair.accounts.emergency_reads import DECISION_MS, READING_MS, EmergencyReads
from eclair.schema.audit import ActFilter
from eclair.settings import Settings
from tests.server.test_accounts import Headers, member, set_up
from tests.support import JSON, Server, serving, text_of

REASON = "They have not come to work and wrote of wanting to die."


@pytest_asyncio.fixture
async def house(settings: Settings) -> AsyncGenerator[Server]:
    async with serving(replace(settings, accounts="on")) as server:
        yield server


async def said(house: Server, headers: Headers) -> str:
    begun = (await house.post("/api/conversations", {"title": "Dark days"}, headers=headers)).body["id"]
    asked = {"text": "script: say=Please call somebody."}
    turn = (await house.post(f"/api/conversations/{begun}/turns", asked, headers=headers)).body
    await house.stream(turn["run"], headers=headers)
    return str(begun)


async def ask(house: Server, headers: Headers, person: str) -> JSON:
    reply = await house.post("/api/emergency-reads", {"person": person, "reason": REASON}, headers=headers)
    assert reply.status == 201, reply
    return dict(reply.body)


async def decide(house: Server, headers: Headers, id: str, *, approve: bool) -> int:
    return (await house.post(f"/api/emergency-reads/{id}/decision", {"approve": approve}, headers=headers)).status


async def test_two_people_read_for_an_hour_and_the_owner_is_told(house: Server) -> None:
    admin = await set_up(house)
    ben, owner = await member(house, admin)
    _, auditor = await member(house, admin, "eve", "auditor")
    conversation = await said(house, owner)
    assert (await house.get(f"/api/conversations/{conversation}", admin)).status == 404
    request = await ask(house, admin, ben)
    opened = f"/api/emergency-reads/{request['id']}/conversations"
    assert (await house.get(opened, admin)).status == 403, "one alone may not"
    assert await decide(house, admin, request["id"], approve=True) == 403, "nor approve what they asked for"
    assert (await house.get("/api/me/emergency-reads", owner)).body["requests"] == []
    assert await decide(house, auditor, request["id"], approve=True) == 200
    (listed,) = (await house.get(opened, admin)).body["conversations"]
    assert (listed["id"], listed["title"]) == (conversation, "Dark days")
    read = (await house.get(f"{opened}/{conversation}", admin)).body
    assert text_of(read["messages"][-1]) == "Please call somebody."
    (told,) = (await house.get("/api/me/emergency-reads", owner)).body["requests"]
    assert (told["reason"], told["requester_name"], told["decider_name"]) == (REASON, "Ada L.", "eve")
    assert [(each["title"], each["reader"]) for each in told["readings"]] == [("Dark days", "Ada L.")]
    assert (await house.post(f"/api/me/emergency-reads/{request['id']}/acknowledge", headers=owner)).status == 204
    assert (await house.get("/api/me/emergency-reads", owner)).body["requests"] == []
    assert (await house.get(f"{opened}/{conversation}", auditor)).status == 200
    (again,) = (await house.get("/api/me/emergency-reads", owner)).body["requests"]
    assert [each["reader"] for each in again["readings"]] == ["Ada L.", "eve"]
    (kept,) = (await house.get("/api/emergency-reads", admin)).body["requests"]
    assert [each["title"] for each in kept["readings"]] == [None, None], "the house's list shows no titles"
    acts = [act.action for act in await house.app.storage.audit.list_acts(ActFilter(action="emergency_read"), 99)]
    assert sorted(set(acts)) == ["emergency_read.approved", "emergency_read.read", "emergency_read.requested"]


def go_on(monkeypatch: pytest.MonkeyPatch, by_ms: int) -> None:
    """Let time pass for emergency reads."""

    def now(_: EmergencyReads) -> int:
        return int(time.time() * 1000) + by_ms

    monkeypatch.setattr(EmergencyReads, "_now", now)


async def test_the_time_runs_out(house: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    admin = await set_up(house)
    ben, owner = await member(house, admin)
    _, auditor = await member(house, admin, "eve", "auditor")
    conversation = await said(house, owner)
    request, late = await ask(house, admin, ben), await ask(house, admin, ben)
    assert await decide(house, auditor, request["id"], approve=True) == 200
    path = f"/api/emergency-reads/{request['id']}/conversations"
    assert (await house.get(path, admin)).status == 200
    go_on(monkeypatch, READING_MS)
    for refused in (await house.get(path, admin), await house.get(f"{path}/{conversation}", admin)):
        assert (refused.status, "run out" in refused.error["message"]) == (403, True)
    go_on(monkeypatch, DECISION_MS)
    assert await decide(house, auditor, late["id"], approve=True) == 409


async def test_whoever_did_not_decide_reads_nothing(house: Server) -> None:
    admin = await set_up(house)
    ben, owner = await member(house, admin)
    _, auditor = await member(house, admin, "eve", "auditor")
    fay, third = await member(house, admin, "fay", "admin")
    conversation, other = await said(house, owner), await said(house, third)
    request = await ask(house, admin, ben)
    assert await decide(house, owner, request["id"], approve=True) == 403
    assert await decide(house, auditor, request["id"], approve=True) == 200
    assert await decide(house, third, request["id"], approve=False) == 409
    path = f"/api/emergency-reads/{request['id']}/conversations"
    assert (await house.get(path, third)).status == 403
    assert (await house.get(f"{path}/{conversation}", third)).status == 403
    assert (await house.get(f"{path}/{conversation}", owner)).status == 403
    assert (await house.get(f"{path}/{other}", admin)).status == 404, "another person's conversation"
    assert (await house.post(f"/api/me/emergency-reads/{request['id']}/acknowledge", headers=admin)).status == 404
    about_fay = await ask(house, admin, fay)
    assert await decide(house, third, about_fay["id"], approve=True) == 403, "nobody decides about themselves"


async def test_a_request_needs_a_reason_and_somebody_else(house: Server) -> None:
    admin = await set_up(house)
    ben, owner = await member(house, admin)
    _, auditor = await member(house, admin, "eve", "auditor")
    for body, status in (
        ({"person": ben, "reason": "hm"}, 400),
        ({"person": "local", "reason": REASON}, 400),
        ({"person": "nobody", "reason": REASON}, 404),
    ):
        assert (await house.post("/api/emergency-reads", body, headers=admin)).status == status, body
    assert (await house.post("/api/emergency-reads", {"person": ben, "reason": REASON}, headers=owner)).status == 403
    refused = await ask(house, admin, ben)
    assert await decide(house, auditor, refused["id"], approve=False) == 200
    assert (await house.get(f"/api/emergency-reads/{refused['id']}/conversations", admin)).status == 403
    assert (await house.get("/api/me/emergency-reads", owner)).body["requests"] == []
