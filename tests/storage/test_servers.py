from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

import pytest

from eclair.errors import Conflict, InvalidInput, NotFound
from eclair.settings import EndpointSettings
from eclair.storage.base import Storage
from eclair.storage.servers import StoredServer
from tests.storage.helpers import ME

SERVER = StoredServer(
    "desk",
    "http://10.0.0.2:8000/v1",
    b"\x00encrypted",
    ("small", "large"),
    8192,
    "FR",
    20,
    "anthropic",
    (EndpointSettings("http://10.0.0.3:8000/v1", 2.5),),
)


async def test_servers_are_listed_oldest_first_and_read_back_as_they_were(storage: Storage, other: Storage) -> None:
    older = StoredServer("attic", "https://models.example.org/v1", None, (), None, None, 10)
    await storage.servers.add_server(ME, SERVER)
    await storage.servers.add_server(ME, older)
    assert await storage.servers.list_servers() == [older, SERVER]
    assert await other.servers.list_servers() == [older, SERVER]


async def test_two_servers_cannot_share_a_name(storage: Storage) -> None:
    await storage.servers.add_server(ME, SERVER)
    with pytest.raises(Conflict, match="desk"):
        await storage.servers.add_server(ME, replace(SERVER, url="http://10.0.0.3/v1"))
    assert await storage.servers.list_servers() == [SERVER]


async def test_an_edit_replaces_a_server_or_changes_nothing(storage: Storage) -> None:
    def refuse(server: StoredServer) -> StoredServer:
        raise InvalidInput(f"{server.name} cannot be edited.")

    await storage.servers.add_server(ME, SERVER)
    edited = replace(SERVER, key=None, models=("tiny",), context=None)
    assert await storage.servers.edit_server(ME, "desk", lambda server: replace(edited, url=server.url)) == edited
    with pytest.raises(InvalidInput, match="desk"):
        await storage.servers.edit_server(ME, "desk", refuse)
    with pytest.raises(NotFound, match="attic"):
        await storage.servers.edit_server(ME, "attic", lambda server: server)
    assert await storage.servers.list_servers() == [edited]


async def test_edits_of_two_processes_are_both_kept(storage: Storage, other: Storage) -> None:
    def add(model: str, server: StoredServer) -> StoredServer:
        return replace(server, models=(*server.models, model))

    await storage.servers.add_server(ME, replace(SERVER, models=()))
    await asyncio.gather(
        *(storage.servers.edit_server(ME, "desk", partial(add, f"a{number}")) for number in range(10)),
        *(other.servers.edit_server(ME, "desk", partial(add, f"b{number}")) for number in range(10)),
    )
    (server,) = await storage.servers.list_servers()
    assert sorted(server.models) == [f"{name}{number}" for name in "ab" for number in range(10)]


async def test_a_server_is_deleted_with_its_probe(storage: Storage) -> None:
    await storage.servers.add_server(ME, SERVER)
    await storage.servers.save_probe("desk", '{"state":"ready"}')
    await storage.servers.save_probe("from_settings", "{}")
    assert await storage.servers.list_probes() == {"desk": '{"state":"ready"}', "from_settings": "{}"}
    await storage.servers.save_probe("desk", '{"state":"down"}')
    assert (await storage.servers.list_probes())["desk"] == '{"state":"down"}'
    await storage.servers.delete_server(ME, "desk")
    assert await storage.servers.list_servers() == []
    assert await storage.servers.list_probes() == {"from_settings": "{}"}
    with pytest.raises(NotFound, match="desk"):
        await storage.servers.delete_server(ME, "desk")
