"""MCP servers as they are stored: for the house and for people, with their tools and who has them on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eclair.errors import Conflict, NotFound
from eclair.schema.mcp_servers import McpListing, McpServerConfig, McpTool
from eclair.schema.messages import Conversation
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.storage.base import Storage
from eclair.storage.mcp_servers import McpListings, McpSwitch, StoredMcpServer
from eclair.storage.tool_permissions import ToolPermission
from tests.storage.helpers import SOMEONE

HOUSE = StoredMcpServer("mcp_a", None, "files", McpServerConfig(("files", "-v"), network=True), b"sealed", 1, ("A",))
OWN = StoredMcpServer("mcp_b", "local", "wiki", McpServerConfig(url="https://wiki.example/mcp"), None, 2)
TOOL = McpTool("read", "Read", "Reads.", {"type": "object", "properties": {"a": {"type": "string"}}}, True)
LISTING = McpListing((TOOL,), "one", 5, ("The tool 'b' is left out.",))


async def test_people_see_the_servers_of_the_house_and_their_own(storage: Storage) -> None:
    await storage.mcp_servers.add_mcp_server(LOCAL_PRINCIPAL, HOUSE)
    await storage.mcp_servers.add_mcp_server(LOCAL_PRINCIPAL, OWN)
    assert (await storage.mcp_servers.list_mcp_servers(LOCAL_PRINCIPAL)).servers == (HOUSE, OWN)
    assert (await storage.mcp_servers.list_mcp_servers(SOMEONE)).servers == (HOUSE,)
    with pytest.raises(Conflict, match="another name"):
        await storage.mcp_servers.add_mcp_server(SOMEONE, replace(HOUSE, id="mcp_c", owner=SOMEONE.id))
    with pytest.raises(NotFound):
        await storage.mcp_servers.edit_mcp_server(SOMEONE, OWN.id, lambda server: server)
    with pytest.raises(NotFound):
        await storage.mcp_servers.delete_mcp_server(SOMEONE, OWN.id)
    edited = await storage.mcp_servers.edit_mcp_server(
        LOCAL_PRINCIPAL, OWN.id, lambda server: replace(server, secrets=b"new", secret_names=("Key",))
    )
    assert edited == replace(OWN, secrets=b"new", secret_names=("Key",))


async def test_tools_are_kept_as_they_were_seen_and_allowed(storage: Storage) -> None:
    await storage.mcp_servers.add_mcp_server(LOCAL_PRINCIPAL, OWN)
    await storage.mcp_servers.save_mcp_listing(LOCAL_PRINCIPAL, OWN.id, LISTING)
    with pytest.raises(Conflict, match="look at them again"):
        await storage.mcp_servers.approve_mcp_listing(LOCAL_PRINCIPAL, OWN.id, "two")
    await storage.mcp_servers.approve_mcp_listing(LOCAL_PRINCIPAL, OWN.id, "one")
    later = replace(LISTING, fingerprint="two", moment=6)
    await storage.mcp_servers.save_mcp_listing(LOCAL_PRINCIPAL, OWN.id, later)
    choices = await storage.mcp_servers.list_mcp_servers(LOCAL_PRINCIPAL)
    assert choices.listings == {OWN.id: McpListings(LISTING, later)}
    assert (await storage.mcp_servers.list_mcp_servers(SOMEONE)).listings == {}
    await storage.mcp_servers.delete_mcp_server(LOCAL_PRINCIPAL, OWN.id)
    assert (await storage.mcp_servers.list_mcp_servers(LOCAL_PRINCIPAL)).listings == {}


async def test_permissions_for_renewed_tools_are_withdrawn_from_those_who_may_use_the_server(storage: Storage) -> None:
    store, permissions = storage.mcp_servers, storage.tool_permissions
    allowed = ToolPermission("", "odd__write", "", None, 1)
    for person in (LOCAL_PRINCIPAL, SOMEONE):
        await permissions.add_permission(person, replace(allowed, id=f"perm_{person.id}_1"))
        await permissions.add_permission(person, replace(allowed, id=f"perm_{person.id}_2", tool="odd__read"))
    never = replace(allowed, id="perm_never", tool="odd__erase", is_denied=True)
    await permissions.add_permission(LOCAL_PRINCIPAL, never)

    async def left(person: Principal) -> set[str]:
        return {each.tool for each in await permissions.list_permissions(person)}

    renewed = ["odd__write", "odd__erase", "odd__new"]
    for server, others in ((OWN, {"odd__write", "odd__read"}), (HOUSE, {"odd__read"})):
        await store.add_mcp_server(LOCAL_PRINCIPAL, server)
        await store.save_mcp_listing(LOCAL_PRINCIPAL, server.id, LISTING)
        await store.approve_mcp_listing(LOCAL_PRINCIPAL, server.id, LISTING.fingerprint, renewed)
        assert await left(LOCAL_PRINCIPAL) == {"odd__read", "odd__erase"}
        assert await left(SOMEONE) == others


async def test_each_person_switches_servers_for_themselves(storage: Storage) -> None:
    await storage.conversations.add_conversation(LOCAL_PRINCIPAL, Conversation("conv_a", "local", "", 1, 1))
    await storage.mcp_servers.add_mcp_server(LOCAL_PRINCIPAL, HOUSE)
    for switch in (
        McpSwitch(HOUSE.id, None, True),
        McpSwitch(HOUSE.id, None, False),
        McpSwitch(HOUSE.id, "conv_a", True),
    ):
        await storage.mcp_servers.switch_mcp_server(LOCAL_PRINCIPAL, switch)
    switches = (await storage.mcp_servers.list_mcp_servers(LOCAL_PRINCIPAL)).switches
    assert set(switches) == {McpSwitch(HOUSE.id, None, False), McpSwitch(HOUSE.id, "conv_a", True)}
    assert (await storage.mcp_servers.list_mcp_servers(SOMEONE)).switches == ()
    with pytest.raises(NotFound):
        await storage.mcp_servers.switch_mcp_server(SOMEONE, McpSwitch(HOUSE.id, "conv_a", True))
    await storage.conversations.delete_conversation(LOCAL_PRINCIPAL, "conv_a", forever=True)
    await storage.conversations.erase_deleted(1)
    assert len((await storage.mcp_servers.list_mcp_servers(LOCAL_PRINCIPAL)).switches) == 1
