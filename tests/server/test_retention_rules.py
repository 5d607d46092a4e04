"""Rules of retention and legal holds: what goes, what stays, and who is told what."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest
import pytest_asyncio

from eclair.settings import Settings
from tests.server.test_accounts import Headers, member, set_up
from tests.support import Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

DAY_MS = 86_400_000


@pytest_asyncio.fixture(loop_scope="module")
async def house(settings: Settings) -> AsyncGenerator[Server]:
    async with serving(replace(settings, accounts="on")) as server:
        yield server


def age(folder: Path, id: str, days: int) -> None:
    """Make a conversation, or a file, so old."""
    with contextlib.closing(apsw.Connection(str(folder / "eclair.db"))) as db:
        db.set_busy_timeout(5000)
        db.execute(f"UPDATE conversation SET updated = updated - {days * DAY_MS} WHERE id = ?", (id,))
        db.execute(f"UPDATE file SET created = created - {days * DAY_MS} WHERE id = ?", (id,))


async def rule(server: Server, days: int | None, scope: str = "everyone", subject: str = "", **more: Any) -> None:
    body = {"scope": scope, "subject": subject, "days": days}
    reply = await server.call("PUT", "/api/retention/rules", body, **more)
    assert reply.status == 200, reply


async def hold(server: Server, scope: str, subject: str, **more: Any) -> None:
    reply = await server.post("/api/retention/holds", {"scope": scope, "subject": subject, "reason": "Case 7"}, **more)
    assert reply.status == 201, reply


async def run_round(server: Server) -> None:
    """Do what the hourly round does."""
    await server.app.retention.apply(await server.app.storage.retention.list_rules())
    await server.app.conversations.erase_due()


async def listed(server: Server, headers: Headers | None = None) -> set[str]:
    page = (await server.get("/api/conversations", headers)).body
    return {each["id"] for each in (*page["conversations"], *page["pinned"])}


async def test_the_shortest_rule_wins_and_a_preview_says_what_goes(fresh: Server, settings: Settings) -> None:
    project = (await fresh.post("/api/projects", {"name": "Cases"})).body["id"]
    old, filed, pinned, young = [await fresh.begin(title=f"chat {n}") for n in range(4)]
    await fresh.call("PATCH", f"/api/conversations/{filed}", {"project_id": project})
    await fresh.call("PATCH", f"/api/conversations/{pinned}", {"pinned": True})
    for id, days in ((old, 40), (filed, 10), (pinned, 50), (young, 3)):
        age(settings.data_dir, id, days)
    preview = (await fresh.post("/api/retention/preview", {"scope": "everyone", "days": 30})).body
    assert (preview["conversations"], preview["people"], preview["held"]) == (2, 1, 0)
    assert [each["title"] for each in preview["examples"]] == ["chat 2", "chat 0"]
    assert await listed(fresh) == {old, filed, pinned, young}, "a preview changes nothing"
    await rule(fresh, 30)
    await rule(fresh, 7, "project", project)
    await run_round(fresh)
    assert await listed(fresh) == {young}, "the project's rule is shorter, and pinned ones go too"
    await rule(fresh, None)
    age(settings.data_dir, young, 400)
    await run_round(fresh)
    assert await listed(fresh) == {young}, "for ever"
    assert (await fresh.call("DELETE", "/api/retention/rules?scope=project&subject=" + project)).status == 204
    assert (await fresh.call("DELETE", "/api/retention/rules?scope=project&subject=" + project)).status == 404
    rules = (await fresh.get("/api/retention/rules")).body["rules"]
    assert [(each["scope"], each["days"]) for each in rules] == [("everyone", None)]


async def test_a_library_forgets_old_files(fresh: Server, settings: Settings) -> None:
    library = (await fresh.post("/api/libraries", {"name": "Mail"})).body["id"]
    ids: list[str] = []
    for name in ("old", "new"):
        reply = await fresh.post(f"/api/files?name={name}.md&library={library}", data=f"# {name}".encode())
        ids.append(reply.body["id"])
    age(settings.data_dir, ids[0], 20)
    body = {"scope": "library", "subject": library, "days": 14}
    assert (await fresh.post("/api/retention/preview", body)).body["files"] == 1
    await rule(fresh, 14, "library", library)
    await run_round(fresh)
    statuses = [(await fresh.get(f"/api/files/{id}")).status for id in ids]
    assert statuses == [404, 200]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"scope": "everyone", "subject": "x", "days": 1}, "subject"),
        ({"scope": "project", "days": 1}, "subject"),
        ({"scope": "library", "subject": "lib", "days": 0}, "days"),
    ],
)
async def test_a_rule_that_makes_no_sense_is_refused(server: Server, body: Any, param: str) -> None:
    reply = await server.call("PUT", "/api/retention/rules", body)
    assert (reply.status, reply.error["param"]) == (400, param)


async def test_a_rule_for_what_is_not_there_is_refused(server: Server) -> None:
    for scope in ("group", "project", "library"):
        body = {"scope": scope, "subject": "none", "days": 3}
        assert (await server.call("PUT", "/api/retention/rules", body)).status == 404


async def test_temporary_chats_alone(fresh: Server) -> None:
    id = await fresh.begin()
    await rule(fresh, 0)
    assert (await fresh.get("/api/retention")).body["days"] == 0
    for reply in (
        await fresh.post("/api/conversations", {}),
        await fresh.post(f"/api/conversations/{id}/turns", {"text": "Hello"}),
    ):
        assert (reply.status, reply.error["code"]) == (403, "temporary_only")
    said = await fresh.post("/api/answers", {"messages": [{"role": "user", "text": "script: words=2"}]})
    assert said.status == 200
    await run_round(fresh)
    assert await listed(fresh) == set()


async def test_what_is_held_outlives_rules_and_its_persons_own_deletion(fresh: Server, settings: Settings) -> None:
    project = (await fresh.post("/api/projects", {"name": "Case"})).body["id"]
    alone, filed, free = [await fresh.begin(title="bread") for _ in range(3)]
    begun = await fresh.say(alone, "script: words=2")
    await fresh.call("PATCH", f"/api/conversations/{filed}", {"project_id": project})
    await hold(fresh, "conversation", alone)
    await hold(fresh, "project", project)
    for method, path, body in (
        ("DELETE", f"/api/conversations/{alone}", None),
        ("DELETE", f"/api/conversations/{alone}?forever=true", None),
        ("DELETE", f"/api/conversations/{alone}/messages/{begun['parent']}", None),
        ("DELETE", f"/api/conversations/{filed}", None),
        ("PATCH", f"/api/conversations/{filed}", {"project_id": None}),
        ("DELETE", f"/api/projects/{project}", None),
    ):
        reply = await fresh.call(method, path, body)
        assert (reply.status, reply.error["code"]) == (409, "legal_hold"), (method, path)
    for id in (alone, filed, free):
        age(settings.data_dir, id, 90)
    await rule(fresh, 30)
    assert (await fresh.post("/api/retention/preview", {"scope": "everyone", "days": 30})).body["held"] == 2
    await run_round(fresh)
    assert await listed(fresh) == {alone, filed}
    deleted = (await fresh.call("DELETE", "/api/conversations?confirm=all&forever=true")).body
    assert (deleted["count"], deleted["held"]) == (0, 2)
    assert (await fresh.post("/api/me/data/erasure", {"confirm": "erase everything"})).error["code"] == "legal_hold"
    assert (await fresh.call("DELETE", f"/api/retention/holds?scope=project&subject={project}")).status == 204
    await run_round(fresh)
    assert await listed(fresh) == {alone}


async def test_a_held_person_keeps_everything(fresh: Server) -> None:
    id = await fresh.begin()
    library = (await fresh.post("/api/libraries", {"name": "Mail"})).body["id"]
    file = (await fresh.post(f"/api/files?name=a.md&library={library}", data=b"# a")).body["id"]
    assistant = (await fresh.post("/api/assistants", {"name": "Cook"})).body["id"]
    own = (await fresh.call("PUT", f"/api/assistants/{assistant}/library")).body["library"]
    recipe = (await fresh.post(f"/api/files?name=b.md&library={own}", data=b"# b")).body["id"]
    kept = (await fresh.post("/v1/responses", {"model": "scripted", "input": "script: words=1"})).body["id"]
    await hold(fresh, "person", "local")
    assert (await fresh.post("/api/retention/holds", {"scope": "person", "subject": "local"})).status == 409
    assert (await fresh.get("/api/retention")).body["held"]
    for path in (
        f"/api/conversations/{id}",
        f"/api/files/{file}",
        f"/api/libraries/{library}",
        f"/api/assistants/{assistant}",
        f"/v1/responses/{kept}",
        "/api/responses",
    ):
        reply = await fresh.call("DELETE", path)
        assert reply.status == 409, path
        assert "legal hold" in reply.error["message"]
    assert (await fresh.get(f"/api/files/{file}")).status == 200
    assert (await fresh.get(f"/api/files/{recipe}")).status == 200
    assert (await fresh.get(f"/api/assistants/{assistant}")).body["library"] == own


async def test_groups_have_rules_and_members_do_not_see_or_make_them(house: Server, settings: Settings) -> None:
    admin = await set_up(house)
    id, ben = await member(house, admin)
    group = (await house.post("/api/groups", {"name": "Legal"}, headers=admin)).body["id"]
    reply = await house.post(f"/api/groups/{group}/members", {"people": [id]}, headers=admin)
    assert reply.status == 204, reply
    his = (await house.post("/api/conversations", {"title": "secret of ben"}, headers=ben)).body["id"]
    hers = (await house.post("/api/conversations", {"title": "of ada"}, headers=admin)).body["id"]
    for each in (his, hers):
        age(settings.data_dir, each, 20)
    body = {"scope": "group", "subject": group, "days": 10}
    preview = (await house.post("/api/retention/preview", body, headers=admin)).body
    assert (preview["conversations"], preview["people"], preview["examples"]) == (1, 1, [])
    for method, path in (
        ("GET", "/api/retention/rules"),
        ("PUT", "/api/retention/rules"),
        ("POST", "/api/retention/preview"),
        ("GET", "/api/retention/holds"),
        ("POST", "/api/retention/holds"),
        ("GET", "/api/erasures"),
        ("GET", f"/api/people/{id}/data"),
    ):
        sent = body if method in ("PUT", "POST") else None
        assert (await house.call(method, path, sent, headers=ben)).status == 403, path
    await rule(house, 10, "group", group, headers=admin)
    assert (await house.get("/api/retention", ben)).body["days"] == 10
    assert (await house.get("/api/retention", admin)).body["days"] is None
    await run_round(house)
    assert (await listed(house, ben), await listed(house, admin)) == (set(), {hers})
