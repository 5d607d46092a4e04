"""`/api/compliance/settings`: chosen in the app, in force at once, and what the settings file says stays."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from eclair.compliance.compliance_settings import with_compliance_settings
from eclair.settings import Settings
from tests.server.test_accounts import member, set_up
from tests.support import Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

NONE: dict[str, Any] = {
    "organisation": None,
    "organisation_contact": None,
    "organisation_country": None,
    "data_protection_officer": None,
    "use_warnings": "off",
    "high_risk_use": False,
    "works_council": False,
}
PATH = "/api/compliance/settings"
PROHIBITED = "Detect the emotions of our employees from the webcam."


@pytest_asyncio.fixture(loop_scope="module")
async def house(settings: Settings) -> AsyncGenerator[Server]:
    async with serving(replace(settings, accounts="on")) as server:
        yield server


async def test_they_are_in_force_at_once_and_stay(settings: Settings) -> None:
    async with serving(settings) as server:
        assert (await server.get(PATH)).body == {**NONE, "fixed": []}
        wanted = {**NONE, "organisation": " Ministry ", "organisation_country": "MT", "use_warnings": "block"}
        put = await server.call("PUT", PATH, {**wanted, "works_council": True, "organisation_contact": " "})
        assert put.status == 200, put
        assert put.body == {**wanted, "organisation": "Ministry", "works_council": True, "fixed": []}
        assert (await server.get("/api/about")).body["works_council"] is True
        refused = await server.post(f"/api/conversations/{await server.begin()}/turns", {"text": PROHIBITED})
        assert (refused.status, refused.error["code"]) == (403, "prohibited_use")
        drawn = await server.post("/api/pictures", {"prompt": PROHIBITED})
        assert "prohibited_use" in drawn.raw.decode()
        assert server.app.settings.organisation == "Ministry"
    assert with_compliance_settings(settings).organisation == "Ministry"
    async with serving(settings) as server:
        assert (await server.get(PATH)).body["organisation_country"] == "MT"
        assert (await server.call("PUT", PATH, NONE)).body == {**NONE, "fixed": []}
    assert with_compliance_settings(settings).works_council is False


async def test_what_the_settings_file_says_is_fixed(settings: Settings) -> None:
    async with serving(replace(settings, organisation="Ministry", works_council=True)) as server:
        found = (await server.get(PATH)).body
        assert (found["organisation"], found["fixed"]) == ("Ministry", ["organisation", "works_council"])
        refused = await server.call("PUT", PATH, NONE)
        assert (refused.status, "says organisation" in refused.error["message"]) == (409, True)
        changed = {**NONE, "organisation": "Ministry", "works_council": True, "use_warnings": "warn"}
        assert (await server.call("PUT", PATH, changed)).body == {**changed, "fixed": ["organisation", "works_council"]}


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"use_warnings": "shout"}, "use_warnings"),
        ({"organisation": "x" * 201}, "organisation"),
        ({"organisation_country": "Malta"}, "organisation_country"),
        ({"organisation_contact": "x\0"}, "organisation_contact"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_what_is_wrong_is_named(fresh: Server, wrong: dict[str, Any], name: str) -> None:
    reply = await fresh.call("PUT", PATH, {**NONE, **wrong})
    assert (reply.status, reply.error["param"]) == (400, name)


async def test_administrators_change_them_and_the_audit_log_says_which(house: Server) -> None:
    admin = await set_up(house)
    _, auditor = await member(house, admin, "eve", "auditor")
    _, ben = await member(house, admin, "ben")
    assert (await house.get(PATH, ben)).status == 403
    assert (await house.get(PATH, auditor)).status == 200
    assert (await house.call("PUT", PATH, NONE, headers=auditor)).status == 403
    wanted = {**NONE, "data_protection_officer": "Eve", "use_warnings": "warn"}
    assert (await house.call("PUT", PATH, wanted, headers=admin)).status == 200
    acts = (await house.get("/api/audit?action=settings.changed", admin)).body["acts"]
    assert acts[0]["object"] == "compliance"
    assert acts[0]["details"] == {"data_protection_officer": True, "use_warnings": True}
