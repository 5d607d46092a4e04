"""Sign-ins at MCP servers as they are stored: one of each person at each server, which goes with the server."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eclair.errors import NotFound
from eclair.schema.audit import ActFilter
from eclair.schema.mcp_servers import McpServerConfig
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.base import Storage
from eclair.storage.mcp_sign_ins import SignedInServers
from tests.storage.helpers import SOMEONE
from tests.storage.test_mcp_servers import HOUSE, OWN


async def test_each_person_has_one_at_each_server(storage: Storage) -> None:
    await storage.mcp_sign_ins.add_mcp_sign_in(LOCAL_PRINCIPAL, HOUSE, b"first")
    await storage.mcp_sign_ins.add_mcp_sign_in(LOCAL_PRINCIPAL, HOUSE, b"second")
    await storage.mcp_sign_ins.add_mcp_sign_in(SOMEONE, OWN, b"other")
    assert await storage.mcp_sign_ins.find_mcp_sign_in(LOCAL_PRINCIPAL, HOUSE.id) == b"second"
    assert await storage.mcp_sign_ins.find_mcp_sign_in(SOMEONE, HOUSE.id) is None
    assert await storage.mcp_sign_ins.list_mcp_sign_ins(LOCAL_PRINCIPAL) == SignedInServers(
        frozenset([HOUSE.id]), frozenset([OWN.id])
    )
    with pytest.raises(NotFound, match="not signed in"):
        await storage.mcp_sign_ins.delete_mcp_sign_in(SOMEONE, HOUSE)
    await storage.mcp_sign_ins.delete_mcp_sign_in(LOCAL_PRINCIPAL, HOUSE)
    assert (await storage.mcp_sign_ins.list_mcp_sign_ins(LOCAL_PRINCIPAL)).mine == frozenset()


async def test_a_renewal_brings_none_back(storage: Storage) -> None:
    await storage.mcp_sign_ins.add_mcp_sign_in(LOCAL_PRINCIPAL, HOUSE, b"first")
    await storage.mcp_sign_ins.renew_mcp_sign_in(LOCAL_PRINCIPAL, HOUSE.id, b"renewed")
    assert await storage.mcp_sign_ins.find_mcp_sign_in(LOCAL_PRINCIPAL, HOUSE.id) == b"renewed"
    await storage.mcp_sign_ins.delete_mcp_sign_in(LOCAL_PRINCIPAL, HOUSE, is_withdrawn=True)
    await storage.mcp_sign_ins.delete_mcp_sign_in(LOCAL_PRINCIPAL, HOUSE, is_withdrawn=True)
    await storage.mcp_sign_ins.renew_mcp_sign_in(LOCAL_PRINCIPAL, HOUSE.id, b"late")
    assert await storage.mcp_sign_ins.find_mcp_sign_in(LOCAL_PRINCIPAL, HOUSE.id) is None
    acts = await storage.audit.list_acts(ActFilter(), 10, None)
    assert [(act.action, act.object, dict(act.details)) for act in acts] == [
        ("mcp_server.signed_out", HOUSE.name, {"withdrawn": True}),
        ("mcp_server.signed_in", HOUSE.name, {}),
    ]


async def test_it_goes_with_its_server_and_its_address(storage: Storage) -> None:
    for server in (HOUSE, OWN):
        await storage.mcp_servers.add_mcp_server(LOCAL_PRINCIPAL, server)
        await storage.mcp_sign_ins.add_mcp_sign_in(LOCAL_PRINCIPAL, server, b"sealed")
    await storage.mcp_servers.delete_mcp_server(LOCAL_PRINCIPAL, HOUSE.id)
    assert (await storage.mcp_sign_ins.list_mcp_sign_ins(LOCAL_PRINCIPAL)).mine == {OWN.id}
    moved = McpServerConfig(url="https://elsewhere.example/mcp")
    await storage.mcp_servers.edit_mcp_server(LOCAL_PRINCIPAL, OWN.id, lambda server: replace(server, config=moved))
    assert (await storage.mcp_sign_ins.list_mcp_sign_ins(LOCAL_PRINCIPAL)).mine == frozenset()
