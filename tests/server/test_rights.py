"""Rights: what administrators open and close is asked at every door, and shown with its reason."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest
import pytest_asyncio

from eclair.settings import Settings
from tests.server.test_accounts import Headers, member, set_up
from tests.server.test_documents import add
from tests.support import JSON, Reply, Server, serving

CHAT = {"model": "scripted", "messages": [{"role": "user", "content": "script: words=2"}]}


@pytest_asyncio.fixture
async def house(settings: Settings) -> AsyncGenerator[Server]:
    async with serving(replace(settings, accounts="on")) as server:
        yield server


async def rule(house: Server, admin: Headers, subject: str, object: str, effect: str = "deny") -> str:
    body = {"subject": subject, "object": object, "effect": effect}
    reply = await house.post("/api/grants", body, headers=admin)
    assert reply.status == 201, reply
    return str(reply.body["id"])


async def group_with(house: Server, admin: Headers, *people: str) -> str:
    made = (await house.post("/api/groups", {"name": "Research"}, headers=admin)).body["id"]
    reply = await house.post(f"/api/groups/{made}/members", {"people": list(people)}, headers=admin)
    assert reply.status < 300, reply
    return str(made)


def refused(reply: Reply) -> bool:
    return reply.status == 403 and reply.error["code"] == "right_missing"


async def right(house: Server, admin: Headers, person: str, object: str) -> JSON:
    rights = (await house.get(f"/api/people/{person}/rights", admin)).body["rights"]
    return next(each for each in rights if each["object"] == object)


async def test_members_may_use_everything_until_somebody_says_otherwise(house: Server) -> None:
    admin = await set_up(house)
    ben, headers = await member(house, admin)
    assert (await house.post("/v1/chat/completions", CHAT, headers=headers)).status == 200
    shown = (await house.get(f"/api/people/{ben}/rights", admin)).body["rights"]
    assert {each["object"] for each in shown} >= {"web", "images", "share", "keys", "uploads", "model:scripted"}
    assert all(each["allowed"] and each["reason"] == "open" for each in shown)
    assert (await house.get("/api/me/rights", headers)).body["rights"] == shown
    assert (await house.get(f"/api/people/{ben}/rights", headers)).status == 403


@pytest.mark.parametrize("object", ["model:scripted", "model:*", "engine:scripted", "engine:*"])
async def test_a_model_that_is_closed_is_listed_and_asked_at_no_door(house: Server, object: str) -> None:
    admin = await set_up(house)
    ben, headers = await member(house, admin)
    begun = (await house.post("/api/conversations", {}, headers=headers)).body["id"]
    await rule(house, admin, f"person:{ben}", object)
    listed = [each["id"] for each in (await house.get("/v1/models", headers)).body["data"]]
    assert "scripted" not in listed
    assert object != "model:*" or listed == []
    assert (await house.get("/api/models", headers)).body["models"] == []
    assert "scripted:latest" not in [each["name"] for each in (await house.get("/api/tags", headers)).body["models"]]
    doors: list[tuple[str, JSON]] = [
        ("/v1/chat/completions", CHAT),
        ("/v1/completions", {"model": "scripted", "prompt": "a"}),
        ("/v1/responses", {"model": "scripted", "input": "a"}),
        ("/v1/messages", {**CHAT, "max_tokens": 9}),
        ("/v1/embeddings", {"model": "scripted", "input": "a"}),
        ("/api/chat", CHAT),
        ("/api/generate", {"model": "scripted", "prompt": "a"}),
        ("/api/answers", {"messages": [{"role": "user", "text": "a"}]}),
        ("/api/edits", {"model": "scripted", "text": "a", "instruction": "b"}),
        (f"/api/conversations/{begun}/turns", {"text": "a"}),
        (f"/api/conversations/{begun}/turns", {"text": "a", "mode": "think"}),
    ]
    for path, body in doors:
        reply = await house.post(path, body, headers=headers)
        assert reply.status in (403, 404), (path, reply)
    assert (await house.post("/v1/chat/completions", CHAT, headers=admin)).status == 200


async def test_a_denial_wins_and_a_permission_closes_to_all_others(house: Server) -> None:
    admin = await set_up(house)
    ben, headers = await member(house, admin)
    eve, others = await member(house, admin, "eve")
    group = await group_with(house, admin, ben)
    await rule(house, admin, f"group:{group}", "model:scripted", "allow")
    assert (await house.post("/v1/chat/completions", CHAT, headers=headers)).status == 200
    assert refused(await house.post("/v1/chat/completions", CHAT, headers=others))
    assert await right(house, admin, ben, "model:scripted") == {
        "object": "model:scripted",
        "name": "Scripted",
        "allowed": True,
        "reason": "allowed",
        "subject": f"group:{group}",
        "subject_name": "Research",
    }
    assert (await right(house, admin, eve, "model:scripted"))["reason"] == "restricted"
    denial = await rule(house, admin, f"person:{ben}", "model:*")
    assert refused(await house.post("/v1/chat/completions", CHAT, headers=headers))
    assert (await right(house, admin, ben, "model:scripted"))["reason"] == "denied"
    assert (await house.call("DELETE", f"/api/grants/{denial}", headers=admin)).status == 204
    assert (await house.post("/v1/chat/completions", CHAT, headers=headers)).status == 200
    assert (await house.call("DELETE", f"/api/groups/{group}/members/{ben}", headers=admin)).status < 300
    assert refused(await house.post("/v1/chat/completions", CHAT, headers=headers))
    assert (await house.call("DELETE", f"/api/groups/{group}", headers=admin)).status == 204
    assert (await house.get("/api/grants", admin)).body["grants"] == [], "its rights went with it"


async def test_web_images_links_keys_and_uploads_are_closed_where_they_act(house: Server) -> None:
    admin = await set_up(house)
    ben, headers = await member(house, admin)
    begun = (await house.post("/api/conversations", {}, headers=headers)).body["id"]
    turn = (await house.post(f"/api/conversations/{begun}/turns", {"text": "script: words=2"}, headers=headers)).body
    await house.stream(turn["run"], headers=headers)
    library = (await house.post("/api/libraries", {"name": "handbook"}, headers=headers)).body["id"]
    upload = {"Content-Type": "text/plain", **headers}
    for object in ("web", "images", "share", "keys", "uploads"):
        await rule(house, admin, f"person:{ben}", object)
    assert refused(await house.post("/api/web/search", {"q": "bread"}, headers=headers))
    assert refused(await house.post("/api/research/plan", {"question": "bread"}, headers=headers))
    assert refused(await house.post("/api/pictures", {"prompt": "a cat"}, headers=headers))
    assert refused(await house.post("/v1/images/generations", {"prompt": "a cat"}, headers=headers))
    assert refused(await house.post(f"/api/conversations/{begun}/shares", {}, headers=headers))
    assert refused(
        await house.call("PUT", f"/api/libraries/{library}/shares/everyone", {"access": "view"}, headers=headers)
    )
    assert refused(await house.post("/api/keys", {"name": "mine"}, headers=headers))
    assert refused(await house.post("/api/libraries", {"name": "other"}, headers=headers))
    assert refused(await house.post(f"/api/files?name=a.txt&library={library}", data=b"a", headers=upload))
    assert (await house.post("/api/files?name=a.txt", data=b"a", headers=upload)).status == 201, "for a question"


async def test_guests_make_no_keys_share_nothing_and_add_to_no_library(house: Server) -> None:
    admin = await set_up(house)
    gast, headers = await member(house, admin, "gast", "guest")
    assert refused(await house.post("/api/keys", {"name": "mine"}, headers=headers))
    assert refused(await house.post("/api/libraries", {"name": "other"}, headers=headers))
    assert (await house.get("/api/directory?q=a", headers)).status == 403
    assert (await house.post("/v1/chat/completions", CHAT, headers=headers)).status == 200
    assert await right(house, admin, gast, "keys") == {
        "object": "keys",
        "name": "keys",
        "allowed": False,
        "reason": "guest",
        "subject": None,
        "subject_name": None,
    }
    await rule(house, admin, "role:guest", "keys", "allow")
    assert (await house.post("/api/keys", {"name": "mine"}, headers=headers)).status == 201
    _, others = await member(house, admin)
    assert (await house.post("/api/keys", {"name": "mine"}, headers=others)).status == 201, "members lose nothing"


async def test_a_library_can_be_closed_to_somebody(house: Server) -> None:
    admin = await set_up(house)
    ben, headers = await member(house, admin)
    library = (await house.post("/api/libraries", {"name": "handbook"}, headers=admin)).body["id"]
    house.http.headers.update(admin)
    file = (await add(house, "The tower is 330 metres high.", library=library))["id"]
    await house.call("PUT", f"/api/libraries/{library}/shares/everyone", {"access": "view"})
    for name in admin:
        del house.http.headers[name]
    assert [each["id"] for each in (await house.get("/api/libraries", headers)).body] == [library]
    assert (await house.get(f"/api/files/{file}/content", headers)).status == 200
    await rule(house, admin, f"person:{ben}", f"library:{library}")
    assert (await house.get("/api/libraries", headers)).body == []
    for path in (f"{file}", f"{file}/content", f"{file}/pages/1", f"?library={library}"):
        assert (await house.get(f"/api/files/{path}".replace("/?", "?"), headers)).status == 404, path
    assert (await house.get("/api/search?q=tower", headers)).body["hits"] == []
    asked = {"messages": [{"role": "user", "text": "a"}], "libraries": [library]}
    begun = (await house.post("/api/conversations", {}, headers=headers)).body["id"]
    del asked["messages"]
    assert refused(await house.post(f"/api/conversations/{begun}/turns", {"text": "a", **asked}, headers=headers))


async def test_rules_for_nobody_and_for_nothing_are_refused(house: Server) -> None:
    admin = await set_up(house)
    for subject, object in (
        ("ben", "web"),
        ("role:king", "web"),
        ("person:", "web"),
        ("everyone", "weather"),
        ("everyone", "model:"),
        ("everyone", "*"),
    ):
        reply = await house.post("/api/grants", {"subject": subject, "object": object, "effect": "deny"}, headers=admin)
        assert reply.status == 400, (subject, object, reply)
    gone = {"subject": "person:nobody-here", "object": "web", "effect": "deny"}
    assert (await house.post("/api/grants", gone, headers=admin)).status == 404
    assert (await house.call("DELETE", "/api/grants/none", headers=admin)).status == 404
    _, headers = await member(house, admin)
    assert (await house.get("/api/grants", headers)).status == 403
    assert (await house.post("/api/grants", gone, headers=headers)).status == 403
    _, auditor = await member(house, admin, "eve", "auditor")
    assert (await house.get("/api/grants", auditor)).status == 200
    assert (await house.post("/api/grants", gone, headers=auditor)).status == 403


async def test_without_accounts_everything_is_open(settings: Settings) -> None:
    async with serving(settings) as server:
        closed = {"subject": "everyone", "object": "web", "effect": "deny"}
        assert (await server.post("/api/grants", closed)).status == 201
        rights = (await server.get("/api/me/rights")).body["rights"]
        assert all(each["allowed"] for each in rights)


async def test_rules_name_what_they_are_for_and_administrators_find_it(house: Server) -> None:
    admin = await set_up(house)
    _, ada = await member(house, admin, "ada-b")
    ben, his = await member(house, admin, "ben")
    library = (await house.post("/api/libraries", {"name": "handbook"}, headers=ada)).body["id"]
    prompt = (await house.post("/api/prompts", {"name": "handy", "text": "x"}, headers=ada)).body["id"]
    project = (await house.post("/api/projects", {"name": "Handed in"}, headers=ada)).body["id"]
    group = (await house.post("/api/groups", {"name": "Research"}, headers=admin)).body["id"]
    for kind, id, name in (
        ("library", library, "handbook"),
        ("prompt", prompt, "handy"),
        ("project", project, "Handed in"),
    ):
        path = f"/api/directory/objects?kind={kind}&q=hand"
        found = (await house.get(path, admin)).body["objects"]
        assert found == [{"id": id, "name": name, "owner": "ada-b"}]
        assert (await house.get(path, his)).status == 403
    assert (await house.get("/api/directory/objects?kind=conversation&q=hand", admin)).status == 400
    new = {"subject": f"person:{ben}", "object": f"library:{library}", "effect": "deny"}
    made = (await house.post("/api/grants", new, headers=admin)).body
    assert (made["object_name"], made["owner"], made["subject_name"]) == ("handbook", "ada-b", "ben")
    for scope, subject in (("group", group), ("project", project)):
        body = {"scope": scope, "subject": subject, "days": 9}
        assert (await house.call("PUT", "/api/retention/rules", body, headers=admin)).status == 200
    rules = (await house.get("/api/retention/rules", admin)).body["rules"]
    assert [(each["name"], each["owner"]) for each in rules] == [("Research", None), ("Handed in", "ada-b")]
    for scope, subject in (("person", ben), ("person", "gone")):
        held = await house.post("/api/retention/holds", {"scope": scope, "subject": subject}, headers=admin)
        assert held.status == 201, held
    holds = (await house.get("/api/retention/holds", admin)).body["holds"]
    assert {each["subject"]: each["name"] for each in holds} == {ben: "ben", "gone": None}
