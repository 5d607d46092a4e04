"""People see who else has a conversation open that is shown in a project."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import apsw
import orjson
import pytest

from eclair.chat import presence
from eclair.chat.shown_conversations import ShownConversations
from eclair.schema.principal import Principal
from eclair.settings import Settings
from eclair.storage.backup.backup import back_up
from eclair.storage.backup.repository import BackupRepository
from eclair.storage.presence import Present
from eclair.storage.projects import ShownConversation
from tests.postgres import databases
from tests.server.test_accounts import Headers, member, set_up
from tests.server.test_load_balancer import shared
from tests.support import Door, Process, Server, serving

__all__ = ["databases", "shared"]

PATIENCE_S = 30


@dataclass(frozen=True, slots=True)
class House:
    """A conversation of Ben's that is shown in a project of Ada's; Eve is no member."""

    ada: Headers
    ben: Headers
    eve: Headers
    admin: Headers
    ben_id: str
    project: str
    conversation: str

    @property
    def path(self) -> str:
        return f"/api/project-conversations/{self.conversation}/presence"


async def furnish(server: Server, admin: Headers) -> House:
    _, ada = await member(server, admin, "ada-b")
    ben_id, ben = await member(server, admin, "ben")
    _, eve = await member(server, admin, "eve-b")
    project = (await server.post("/api/projects", {"name": "Town"}, headers=ada)).body["id"]
    share = f"/api/projects/{project}/shares/person:{ben_id}"
    assert (await server.call("PUT", share, {"access": "view"}, headers=ada)).status == 204
    conversation = (await server.post("/api/conversations", {"title": "Bikes"}, headers=ben)).body["id"]
    shown = f"/api/project-conversations/{conversation}"
    assert (await server.call("PUT", shown, {"project_id": project}, headers=ben)).status == 204
    return House(ada, ben, eve, admin, ben_id, project, conversation)


class Page:
    """Changes that the page of an open conversation was told of."""

    def __init__(self) -> None:
        self.changes = asyncio.Queue[dict[str, Any]]()

    async def read(self, stream: aiohttp.StreamReader) -> None:
        with contextlib.suppress(aiohttp.ClientPayloadError):  # its server was killed
            async for line in stream:
                if line.startswith(b"data: "):
                    self.changes.put_nowait(orjson.loads(line[6:]))

    async def hears_of_presence(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while (await self.changes.get())["kind"] != "presence":
                pass

    @property
    def told(self) -> list[str]:
        """The kinds of the changes that have come and weren't looked at."""
        found: list[str] = []
        while not self.changes.empty():
            found.append(self.changes.get_nowait()["kind"])
        return found


@asynccontextmanager
async def page(server: Door, headers: Headers, conversation: str) -> AsyncGenerator[Page]:
    found = Page()
    async with server.open(f"/api/changes?conversation={conversation}", headers=headers) as response:
        assert response.status == 200
        reading = asyncio.create_task(found.read(response.content))
        async with asyncio.timeout(PATIENCE_S):
            await found.changes.get()
        try:
            yield found
        finally:
            reading.cancel()
            await asyncio.wait([reading])


async def others(server: Door, house: House, headers: Headers) -> list[str]:
    reply = await server.get(house.path, headers)
    assert reply.status == 200, reply
    assert reply.body["more"] == 0
    names: list[str] = reply.body["people"]
    return names


async def until(server: Door, house: House, headers: Headers, wanted: Sequence[str]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await others(server, house, headers) != [*wanted]:  # noqa: ASYNC110 (the change may have come)
            await asyncio.sleep(0.1)


@pytest.fixture
async def furnished(settings: Settings) -> AsyncGenerator[tuple[Server, House]]:
    async with serving(replace(settings, accounts="on")) as server:
        yield server, await furnish(server, await set_up(server))


async def test_members_see_each_other_come_and_go(
    furnished: tuple[Server, House], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "LEAVE_DELAY_S", 0.05)
    server, house = furnished
    later = (await server.post("/api/conversations", {"title": "Trams"}, headers=house.ben)).body["id"]
    shown = {"project_id": house.project}
    assert (await server.call("PUT", f"/api/project-conversations/{later}", shown, headers=house.ben)).status == 204
    async with page(server, house.ben, house.conversation) as his:
        assert await others(server, house, house.ben) == []
        async with page(server, house.ada, house.conversation):
            await until(server, house, house.ben, ["ada-b"])
            await his.hears_of_presence()
            async with page(server, house.ada, house.conversation):
                await until(server, house, house.ada, ["ben"])
            async with page(server, house.ada, later):
                await until(server, replace(house, conversation=later), house.ben, ["ada-b"])
            await until(server, replace(house, conversation=later), house.ben, [])
            assert await others(server, house, house.ben) == ["ada-b"], "she has it open in another tab"
            his.changes = asyncio.Queue()
        await his.hears_of_presence()
        await until(server, house, house.ben, [])


async def test_a_stranger_neither_sees_nor_is_seen_nor_hears(furnished: tuple[Server, House]) -> None:
    server, house = furnished
    async with (
        page(server, house.ben, house.conversation) as his,
        page(server, house.eve, house.conversation) as hers,
        page(server, house.ada, house.conversation),
    ):
        await until(server, house, house.ben, ["ada-b"])
        await his.hears_of_presence()
        assert (await server.get(house.path, house.eve)).status == 404
        assert (await server.get(house.path)).status == 401
        await server.post("/api/memories", {"text": "Bees dance."}, headers=house.eve)
        async with asyncio.timeout(PATIENCE_S):
            while (kind := (await hers.changes.get())["kind"]) != "memories":
                assert kind != "presence"
        assert "presence" not in hers.told
        assert len(present(server)) == 2, "she isn't even noted"
    assert (await server.get(f"/api/changes?conversation=conv_%00{'a' * 25}", house.ben)).status == 400


async def test_a_right_that_ends_ends_presence(furnished: tuple[Server, House]) -> None:
    server, house = furnished
    async with page(server, house.ben, house.conversation), page(server, house.ada, house.conversation):
        await until(server, house, house.ada, ["ben"])
        denied = {"subject": f"person:{house.ben_id}", "object": f"project:{house.project}", "effect": "deny"}
        grant = (await server.post("/api/grants", denied, headers=house.admin)).body["id"]
        assert (await server.get(house.path, house.ben)).status == 404
        assert (await server.get(house.path, house.ada)).status == 404, "its author is no member"
        await server.call("DELETE", f"/api/grants/{grant}", headers=house.admin)
        assert await others(server, house, house.ada) == ["ben"]
        shown = f"/api/project-conversations/{house.conversation}"
        assert (await server.call("DELETE", shown, headers=house.ben)).status == 204
        for headers in (house.ada, house.ben):
            assert (await server.get(house.path, headers)).status == 404
        assert (await server.call("PUT", shown, {"project_id": house.project}, headers=house.ben)).status == 204
        assert await others(server, house, house.ben) == ["ada-b"]
        leo_id, leo = await member(server, house.admin, "leo-b")
        share = f"/api/projects/{house.project}/shares/person:{leo_id}"
        await server.call("PUT", share, {"access": "view"}, headers=house.ada)
        async with page(server, leo, house.conversation):
            await until(server, house, house.ben, ["ada-b", "leo-b"])
            assert (await server.call("DELETE", share, headers=house.ada)).status == 204
            assert await others(server, house, house.ben) == ["ada-b"]


async def test_a_preference_hides_a_person_at_once(furnished: tuple[Server, House]) -> None:
    server, house = furnished
    async with page(server, house.ada, house.conversation) as hers, page(server, house.ben, house.conversation):
        await until(server, house, house.ada, ["ben"])
        await hers.hears_of_presence()
        hers.changes = asyncio.Queue()
        hidden = {**(await server.get("/api/preferences", house.ben)).body, "show_presence": False}
        assert (await server.call("PUT", "/api/preferences", hidden, headers=house.ben)).status == 200
        assert await others(server, house, house.ada) == []
        await hers.hears_of_presence()
        await until(server, house, house.ben, ["ada-b"])
        await until_noted(server, 1)
        shown = {**(await server.get("/api/preferences", house.ben)).body, "show_presence": True}
        assert (await server.call("PUT", "/api/preferences", shown, headers=house.ben)).status == 200
        await until(server, house, house.ada, ["ben"])
        hidden = {**(await server.get("/api/preferences", house.ben)).body, "show_presence": False}
        assert (await server.call("PUT", "/api/preferences", hidden, headers=house.ben)).status == 200
    await until_noted(server, 0)
    async with page(server, house.ben, house.conversation), page(server, house.ada, house.conversation):
        await until(server, house, house.ben, ["ada-b"])
        assert len(present(server)) == 1, "what nobody may see isn't noted"


async def test_strangers_who_are_noted_take_no_place_and_count_for_nothing(
    furnished: tuple[Server, House], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, house = furnished
    found, asked = ShownConversations.find, list[str]()

    async def find(self: ShownConversations, principal: Principal, id: str) -> ShownConversation:
        asked.append(principal.id)
        return await found(self, principal, id)

    monkeypatch.setattr(ShownConversations, "find", find)
    strangers = [f"acc_{n:026}" for n in range(presence.MAX_OTHERS + 1)]
    noted = [Present(house.conversation, person) for person in (*strangers, house.ben_id)]
    await server.app.storage.presence.change_presence(noted, [])
    assert await others(server, house, house.ada) == ["ben"]
    assert len(asked) == 1, "the conversation is found once, however many are noted"
    monkeypatch.setattr(presence, "MAX_OTHERS", 0)
    assert (await server.get(house.path, house.ada)).body == {"people": [], "more": 1}


def present(server: Server) -> list[Any]:
    db = apsw.Connection(str(server.app.settings.data_dir / "eclair.db"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return list(db.execute("SELECT conversation FROM presence"))
    finally:
        db.close()


async def until_noted(server: Server, count: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while len(present(server)) != count:  # noqa: ASYNC110 (no event tells)
            await asyncio.sleep(0.1)


async def test_works_council_mode_notes_and_tells_nothing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "WATCH_INTERVAL_S", 0.05)
    async with serving(replace(settings, accounts="on", works_council=True)) as server:
        house = await furnish(server, await set_up(server))
        store, looks = server.app.storage.presence, asyncio.Semaphore(0)
        list_noted = store.list_own_presence

        async def look() -> set[Present]:
            looks.release()
            return await list_noted()

        async with page(server, house.ben, house.conversation), page(server, house.ada, house.conversation):
            monkeypatch.setattr(store, "list_own_presence", look)
            async with asyncio.timeout(PATIENCE_S):
                for _ in range(2):
                    await looks.acquire()
            assert present(server) == [], "the first look with both pages open has ended"
            for headers in (house.ben, house.ada):
                assert await others(server, house, headers) == []
            assert (await server.get(house.path, house.eve)).status == 404


async def test_works_council_mode_forgets_who_has_pages_open(
    furnished: tuple[Server, House], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "WATCH_INTERVAL_S", 0.05)
    server, house = furnished
    async with page(server, house.ben, house.conversation):
        await until_noted(server, 1)
        server.app.live_settings.overlay({"works_council": True})
        await until_noted(server, 0)


async def test_presence_leaves_no_trace(
    furnished: tuple[Server, House], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server, house = furnished
    acts = (await server.get("/api/audit", house.admin)).body
    async with page(server, house.ben, house.conversation):
        await until(server, house, house.ada, ["ben"])
        assert len(present(server)) == 1
        repository = BackupRepository.create_or_open(tmp_path / "backup", None)
        done = await asyncio.to_thread(back_up, server.app.settings, repository)
        copy = tmp_path / "copy.db"
        (entry,) = (each for each in done.snapshot.entries if each.path == "eclair.db")
        repository.write_out(entry, copy)
    assert list(apsw.Connection(str(copy)).execute("SELECT * FROM presence")) == []
    assert house.ben_id not in caplog.text
    assert (await server.get("/api/audit", house.admin)).body == acts
    await until_noted(server, 0)


async def test_people_at_two_servers_see_each_other_until_one_is_killed(
    shared: Settings, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    folder = tmp_path / "second"
    folder.mkdir(0o700)
    places = {"DATABASE_URL": str(shared.database_url), "SECRET_KEY_FILE": str(shared.secret_key_file)}
    common = replace(shared, public_url=None, trusted_proxies=(), accounts="on")
    async with serving(common) as first:
        house = await furnish(first, await set_up(first))
        house = replace(house, ada=await key_of(first, house.ada), ben=await key_of(first, house.ben))
        names = {f"ECLAIR_{name}": at for name, at in places.items()}
        second = await Process.start(folder, http, **names, ECLAIR_ACCOUNTS="on")
        try:
            async with page(first, house.ben, house.conversation) as his:
                async with page(second, house.ada, house.conversation):
                    await his.hears_of_presence()
                    await until(first, house, house.ben, ["ada-b"])
                    await until(second, house, house.ada, ["ben"])
                await his.hears_of_presence()
                await until(first, house, house.ben, [])
                async with page(second, house.ada, house.conversation):
                    await until(first, house, house.ben, ["ada-b"])
                    await his.hears_of_presence()
                    his.changes = asyncio.Queue()
                    await second.kill()
                    await his.hears_of_presence()
                    while await others(first, house, house.ben):  # that was of her coming
                        await his.hears_of_presence()
        finally:
            await second.close()


async def key_of(server: Server, headers: Headers) -> Headers:
    key = (await server.post("/api/keys", {"name": "both"}, headers=headers)).body["secret"]
    return {"Authorization": f"Bearer {key}"}
