"""Every route that touches a person's data sees only what is theirs, whoever the guard says they are."""

from __future__ import annotations

import pytest
import pytest_asyncio

from eclair.network.gate import PRINCIPAL
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.server.access import AccessControl
from tests.server.test_documents import add
from tests.support import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOMEONE = Principal("someone")


class Caller:
    """Whoever the guard finds at the door."""

    def __init__(self) -> None:
        self.principal = LOCAL_PRINCIPAL


@pytest.fixture
def caller(monkeypatch: pytest.MonkeyPatch) -> Caller:
    caller = Caller()

    async def identify(*_: object, **__: object) -> Principal:
        return caller.principal

    monkeypatch.setattr(AccessControl, "identify", identify)
    return caller


@pytest_asyncio.fixture(loop_scope="module")
async def kept(fresh: Server) -> dict[str, str]:
    """Something of each kind that belongs to the local principal, by the address at which it is."""
    conversation = await fresh.begin(title="Bread")
    begun = await fresh.ask(conversation, "script: words=3")
    await fresh.answered(begun["run"])
    share = (await fresh.post(f"/api/conversations/{conversation}/shares", {"days": 1})).body
    library = (await fresh.post("/api/libraries", {"name": "handbook"})).body
    file = await add(fresh, "The tower is 330 metres high.")
    await fresh.call("PUT", "/api/preferences", {"version": 0, "theme": "dark"})
    return {
        "conversation": f"/api/conversations/{conversation}",
        "run": f"/api/runs/{begun['run']}",
        "share": f"/api/shares/{share['id']}",
        "library": f"/api/libraries/{library['id']}",
        "file": f"/api/files/{file['id']}",
        "v1 file": f"/v1/files/{file['id']}",
    }


async def test_nobody_sees_what_is_another_persons(fresh: Server, kept: dict[str, str], caller: Caller) -> None:
    caller.principal = SOMEONE
    for what in ("conversation", "run", "file", "v1 file"):
        assert (await fresh.get(kept[what])).status == 404, what
    assert (await fresh.post(f"{kept['conversation']}/turns", {"text": "Hello"})).status == 404
    assert (await fresh.post(f"{kept['run']}/stop")).status == 404
    for what in ("conversation", "share", "library", "file", "v1 file"):
        assert (await fresh.call("DELETE", kept[what])).status == 404, what
    assert (await fresh.get("/api/conversations")).body["conversations"] == []
    assert (await fresh.get("/api/count")).body["conversations"] == 0
    assert (await fresh.get("/api/search?q=Bread")).body["hits"] == []
    assert (await fresh.get("/api/shares")).body["shares"] == []
    assert (await fresh.get("/api/libraries")).body == []
    assert (await fresh.get("/api/files")).body["files"] == []
    assert (await fresh.get("/v1/files")).body["data"] == []
    assert (await fresh.get("/api/usage")).body["total"]["answers"] == 0
    assert (await fresh.get("/api/preferences")).body["version"] == 0
    caller.principal = LOCAL_PRINCIPAL
    for what in ("conversation", "run", "file", "v1 file"):
        assert (await fresh.get(kept[what])).status == 200, what


async def test_two_persons_have_conversations_of_their_own(fresh: Server, caller: Caller) -> None:
    ours = await fresh.begin(title="Bread")
    caller.principal = SOMEONE
    theirs = await fresh.begin(title="Rye")
    run = (await fresh.say(theirs, "script: words=3"))["run"]
    assert [each["id"] for each in (await fresh.get("/api/conversations")).body["conversations"]] == [theirs]
    assert (await fresh.get("/api/usage")).body["total"]["answers"] == 1
    caller.principal = LOCAL_PRINCIPAL
    assert [each["id"] for each in (await fresh.get("/api/conversations")).body["conversations"]] == [ours]
    assert (await fresh.get(f"/api/runs/{run}")).status == 404
    assert (await fresh.get("/api/usage")).body["total"]["answers"] == 0


async def test_engines_are_called_on_behalf_of_the_caller(
    fresh: Server, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Principal] = []
    stream = fresh.engine.stream

    def noted(*arguments: object) -> object:
        found.append(PRINCIPAL.get())
        return stream(*arguments)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(fresh.engine, "stream", noted)
    caller.principal = SOMEONE
    await fresh.say(await fresh.begin(), "script: words=1")
    body = {"model": "scripted", "messages": [{"role": "user", "content": "script: words=1"}]}
    assert (await fresh.post("/v1/chat/completions", body)).status == 200
    assert found == [SOMEONE, SOMEONE]
