"""Shared libraries: viewers search and read, editors add and remove, the owner alone shares, and can end it at once."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest_asyncio

from eclair.schema.principal import Principal
from eclair.settings import Settings
from eclair.storage.chunks import SearchScope
from tests.server.test_accounts import Headers, member, set_up
from tests.server.test_documents import ready
from tests.support import JSON, Server, serving

TOWER = "# The tower\n\nThe tower is 330 metres high and weighs 7,300 tonnes."


@pytest_asyncio.fixture
async def house(settings: Settings) -> AsyncGenerator[Server]:
    async with serving(replace(settings, accounts="on")) as server:
        yield server


async def owned(house: Server, owner: Headers) -> tuple[str, JSON]:
    """Make a library with a file."""
    library = (await house.post("/api/libraries", {"name": "handbook"}, headers=owner)).body["id"]
    path = f"/api/files?name=tower.md&library={library}"
    reply = await house.post(path, data=TOWER.encode(), headers={"Content-Type": "text/markdown", **owner})
    assert reply.status == 201, reply
    house.http.headers.update(owner)
    file = await ready(house, reply.body)
    for name in owner:
        del house.http.headers[name]
    return str(library), file


async def share(house: Server, owner: Headers, library: str, subject: str, access: str = "view") -> None:
    reply = await house.call("PUT", f"/api/libraries/{library}/shares/{subject}", {"access": access}, headers=owner)
    assert reply.status == 204, reply


async def test_a_viewer_searches_reads_and_cites_and_changes_nothing(house: Server) -> None:
    admin = await set_up(house)
    _, owner = await member(house, admin, "ada-b")
    ben, headers = await member(house, admin, "ben")
    library, file = await owned(house, owner)
    assert (await house.get("/api/libraries", headers)).body == []
    await share(house, owner, library, f"person:{ben}")
    (listed,) = (await house.get("/api/libraries", headers)).body
    assert (listed["name"], listed["files"], listed["access"], listed["owner"]) == ("handbook", 1, "view", "ada-b")
    assert (await house.get("/api/libraries", owner)).body[0]["access"] == "own"
    files = (await house.get(f"/api/files?library={library}", headers)).body["files"]
    assert [each["id"] for each in files] == [file["id"]]
    for path in ("", "/content", "/pages/1", "/boxes?start=0&end=9"):
        assert (await house.get(f"/api/files/{file['id']}{path}", headers)).status == 200, path
    begun = (await house.post("/api/conversations", {}, headers=headers)).body["id"]
    asked = {"text": "How high is the tower?", "libraries": ["handbook"]}
    turn = await house.post(f"/api/conversations/{begun}/turns", asked, headers=headers)
    assert turn.status == 202, turn
    await house.stream(turn.body["run"], headers=headers)
    message = (await house.get(f"/api/runs/{turn.body['run']}", headers)).body["message"]
    assert [passage["file"] for passage in message["passages"]] == [file["id"]]
    hits = (await house.get("/api/search?q=tower", headers)).body
    assert "tower.md" in [each["name"] for each in hits["names"]]
    own = {"Content-Type": "text/plain", **headers}
    assert (await house.post(f"/api/files?name=a.txt&library={library}", data=b"a", headers=own)).status == 403
    assert (await house.call("DELETE", f"/api/files/{file['id']}", headers=headers)).status == 404
    assert (await house.call("PATCH", f"/api/files/{file['id']}", {"name": "b"}, headers=headers)).status == 404
    assert (await house.call("PATCH", f"/api/libraries/{library}", {"name": "b"}, headers=headers)).status == 403
    assert (await house.call("DELETE", f"/api/libraries/{library}", headers=headers)).status == 403
    assert (await house.get(f"/api/libraries/{library}/shares", headers)).status == 403
    assert (
        await house.call("PUT", f"/api/libraries/{library}/shares/everyone", {"access": "edit"}, headers=headers)
    ).status == 403
    assert (await house.get(f"/api/libraries/{library}/shares", owner)).body["shares"] == [
        {"subject": f"person:{ben}", "name": "ben", "access": "view"}
    ]


async def test_an_editor_adds_and_removes_what_stays_the_owners(house: Server) -> None:
    admin = await set_up(house)
    _, owner = await member(house, admin, "ada-b")
    ben, headers = await member(house, admin, "ben")
    library, file = await owned(house, owner)
    await share(house, owner, library, f"person:{ben}", "edit")
    own = {"Content-Type": "text/plain", **headers}
    added = await house.post(f"/api/files?name=a.txt&library={library}", data=b"Bread is baked.", headers=own)
    assert added.status == 201, added
    assert (await house.get(f"/api/files/{added.body['id']}", owner)).status == 200
    assert (await house.call("PATCH", f"/api/files/{file['id']}", {"name": "b.md"}, headers=headers)).status == 200
    assert (await house.call("DELETE", f"/api/files/{file['id']}", headers=headers)).status == 204
    assert (await house.call("DELETE", f"/api/libraries/{library}", headers=headers)).status == 403
    moved = await house.call("PATCH", f"/api/files/{added.body['id']}", {"library": library}, headers=headers)
    assert moved.status == 404, "moving files between libraries is for their owner"


async def test_the_end_of_a_share_counts_at_once_for_everything(house: Server) -> None:
    admin = await set_up(house)
    _, owner = await member(house, admin, "ada-b")
    ben, headers = await member(house, admin, "ben")
    library, file = await owned(house, owner)
    made = (await house.post("/api/groups", {"name": "Research"}, headers=admin)).body["id"]
    await house.post(f"/api/groups/{made}/members", {"people": [ben]}, headers=admin)
    await share(house, owner, library, f"group:{made}")
    assert (await house.get(f"/api/files/{file['id']}", headers)).status == 200
    chunks = house.app.storage.chunks
    scope = SearchScope(Principal(ben, groups=frozenset({made})), (file["id"],), (library,))
    assert await chunks.search_words(scope, "tower", 9)
    assert await chunks.search_words(replace(scope, principal=Principal(ben)), "tower", 9) == []
    ended = await house.call("DELETE", f"/api/libraries/{library}/shares/group:{made}", headers=owner)
    assert ended.status == 204
    assert await chunks.search_words(scope, "tower", 9) == []
    assert (await house.get("/api/libraries", headers)).body == []
    for path in ("", "/content", "/pages/1"):
        assert (await house.get(f"/api/files/{file['id']}{path}", headers)).status == 404, path
    assert (await house.get(f"/api/files?library={library}", headers)).status == 404
    await share(house, owner, library, f"group:{made}")
    assert (await house.get(f"/api/files/{file['id']}", headers)).status == 200
    await house.call("DELETE", f"/api/groups/{made}/members/{ben}", headers=admin)
    assert (await house.get(f"/api/files/{file['id']}", headers)).status == 404


async def test_sharing_with_nobody_is_refused(house: Server) -> None:
    admin = await set_up(house)
    _, owner = await member(house, admin, "ada-b")
    _, headers = await member(house, admin, "ben")
    library, _ = await owned(house, owner)
    path = f"/api/libraries/{library}/shares"
    view = {"access": "view"}
    assert (await house.call("PUT", f"{path}/person:none", view, headers=owner)).status == 404
    assert (await house.call("PUT", f"{path}/ben", view, headers=owner)).status == 400
    assert (await house.call("PUT", f"{path}/everyone", {"access": "own"}, headers=owner)).status == 400
    assert (await house.call("DELETE", f"{path}/everyone", headers=owner)).status == 404
    assert (await house.call("PUT", f"{path}/everyone", view, headers=headers)).status == 404
    found = (await house.get("/api/directory?q=be", owner)).body["entries"]
    assert [(each["name"], each["subject"][:7]) for each in found] == [("ben", "person:")]


async def test_a_link_for_the_house_takes_an_account(house: Server) -> None:
    admin = await set_up(house)
    _, headers = await member(house, admin)
    begun = (await house.post("/api/conversations", {}, headers=admin)).body["id"]
    turn = (await house.post(f"/api/conversations/{begun}/turns", {"text": "script: words=2"}, headers=admin)).body
    await house.stream(turn["run"], headers=admin)
    path = f"/api/conversations/{begun}/shares"
    inside = (await house.post(path, {"house": True}, headers=admin)).body
    public = (await house.post(path, {}, headers=admin)).body
    assert (inside["house"], public["house"]) == (True, False)
    assert (await house.get(f"/api/shared/{public['id']}")).status == 200
    refused = await house.get(f"/api/shared/{inside['id']}")
    assert (refused.status, "sign in" in refused.error["message"]) == (401, True)
    assert (await house.get(f"/api/shared/{inside['id']}/pictures/none")).status == 401
    assert (await house.get(f"/api/shared/{inside['id']}", headers)).status == 200
    listed = (await house.get("/api/shares", admin)).body["shares"]
    assert {each["id"]: each["house"] for each in listed} == {inside["id"]: True, public["id"]: False}
