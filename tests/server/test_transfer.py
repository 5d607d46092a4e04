"""Out and in by the door: exports, imports and shares."""

from __future__ import annotations

import asyncio
import io
import os
import time
import zipfile
from collections.abc import Mapping
from operator import itemgetter
from types import MappingProxyType
from typing import Any

import aiohttp
import orjson
import pypdfium2  # pyright: ignore[reportMissingTypeStubs]
import pytest

from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.server import auth
from eclair.storage.imports import WaitingImport
from eclair.storage.shares import Share
from eclair.transfer.exporters import DOCX_MEDIA_TYPE
from eclair.transfer.import_service import MAX_WAITING_IMPORTS
from tests.support import JSON, Door, Reply, Server, text_of
from tests.transfer.support import sample, zipped

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def upload(
    server: Door, data: bytes, name: str = "export.json", headers: Mapping[str, str] = MappingProxyType({})
) -> Reply:
    return await server.call(
        "POST", f"/api/imports?name={name}", data=data, headers={"Content-Type": "application/json", **headers}
    )


async def carry_out(server: Door, id: str, headers: Mapping[str, str] | None = None) -> list[JSON]:
    reply = await server.call("POST", f"/api/imports/{id}", headers=headers)
    assert reply.status == 200, reply
    assert reply.headers["Content-Type"].startswith("text/event-stream")
    blocks = reply.raw.decode().split("\n\n")
    assert blocks.pop() == ""
    return [orjson.loads(block.removeprefix("data: ")) for block in blocks if not block.startswith(":")]


async def imported(server: Server, data: bytes) -> JSON:
    """Import a file; how it ended."""
    read = await upload(server, data)
    assert read.status == 201, read
    *steps, last = await carry_out(server, read.body["id"])
    assert all(step["of"] == read.body["conversations"] for step in steps)
    return dict(last["finished"])


async def listed(server: Server) -> dict[str, JSON]:
    """All conversations, by title."""
    found: list[Any] = []
    for query in ("", "?archived=true"):
        page = (await server.get(f"/api/conversations{query}")).body
        found += [*page["pinned"], *page["conversations"]]
    return {conversation["title"]: conversation for conversation in found}


@pytest.mark.parametrize(
    ("name", "kind", "conversations", "messages"),
    [
        ("chatgpt", "chatgpt", 2, 5),
        ("claude", "claude", 2, 5),
        ("openwebui", "openwebui", 1, 3),
        ("librechat", "librechat", 1, 3),
    ],
)
async def test_an_import_is_shown_and_then_kept_once(
    fresh: Server, name: str, kind: str, conversations: int, messages: int
) -> None:
    read = await upload(fresh, sample(name))
    assert read.status == 201
    assert (read.body["kind"], read.body["conversations"], read.body["messages"]) == (kind, conversations, messages)
    assert len(read.body["titles"]) == conversations
    assert await listed(fresh) == {}
    finished = (await carry_out(fresh, read.body["id"]))[-1]["finished"]
    assert finished == {
        "conversations": conversations,
        "messages": messages,
        "skipped": 0,
        "problems": read.body["problems"],
        "items": [],
    }
    before = await listed(fresh)
    assert set(before) == set(read.body["titles"])
    again = await imported(fresh, sample(name))
    assert (again["conversations"], again["messages"], again["skipped"]) == (0, 0, conversations)
    assert await listed(fresh) == before


async def test_what_was_imported_can_be_searched_and_gone_on_with(fresh: Server) -> None:
    await imported(fresh, sample("chatgpt"))
    bread = (await listed(fresh))["Sourdough"]
    tree = await fresh.tree(bread["id"])
    assert [text_of(message) for message in tree["messages"] if message["id"] == bread["leaf"]] == [
        "It proved too long."
    ]
    (hit,) = (await fresh.get("/api/search?q=starter")).body["hits"]
    assert hit["conversation"] == bread["id"]
    answer = await fresh.say(bread["id"], "script: say=Indeed.")
    assert text_of(answer) == "Indeed."
    question = next(message["id"] for message in tree["messages"] if message["role"] == "user")
    again = await fresh.turn(bread["id"], retry=question)
    await fresh.answered(str(again["run"]))
    renamed = await fresh.call("PATCH", f"/api/conversations/{bread['id']}", {"title": "Bread"})
    assert renamed.status == 200
    assert (await imported(fresh, sample("chatgpt")))["skipped"] == 2
    assert "Bread" in await listed(fresh)


async def test_everything_goes_out_and_comes_back(fresh: Server) -> None:
    id = await fresh.begin(title="Mine: ä/b")
    await fresh.say(id, "script: say=Yes. reasoning=3")
    await fresh.say(id, "script: say=No.")
    await imported(fresh, sample("openwebui"))
    before = {id: await fresh.tree(id) for id in [found["id"] for found in (await listed(fresh)).values()]}
    reply = await fresh.get("/api/export")
    assert reply.headers["Content-Type"] == "application/zip"
    assert "attachment" in reply.headers["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(reply.raw)) as archive:
        assert archive.testzip() is None
        names = [name for name in archive.namelist() if not name.startswith("personal/")]
        assert len(names) == 5
        assert "everything.json" in names
        assert f"json/Mine-ä-b-{id[-8:]}.json" in names
        assert b"made by AI" in archive.read(f"markdown/Mine-ä-b-{id[-8:]}.md")
    assert (await imported(fresh, reply.raw))["skipped"] == 2
    for id in before:
        assert (await fresh.call("DELETE", f"/api/conversations/{id}")).status == 204
    assert (await imported(fresh, reply.raw))["conversations"] == 2
    after = {id: await fresh.tree(id) for id in before}
    for id, tree in before.items():
        for message in tree["messages"]:
            message["run"] = None
        tree["messages"].sort(key=itemgetter("id"))
        after[id]["messages"].sort(key=itemgetter("id"))
        assert after[id] == tree


@pytest.mark.parametrize(
    ("format", "suffix", "kind"),
    [("markdown", "md", "text/markdown"), ("json", "json", "application/json"), ("html", "html", "text/html")],
)
async def test_one_conversation_goes_out(server: Server, format: str, suffix: str, kind: str) -> None:
    id = await server.begin(title='Été "à\r\nla"')
    await server.say(id, "script: say=Oui.")
    reply = await server.get(f"/api/conversations/{id}/export?format={format}")
    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith(kind)
    disposition = reply.headers["Content-Disposition"]
    assert disposition.startswith("attachment; ")
    assert disposition.endswith(f"filename*=UTF-8''%C3%89t%C3%A9-%C3%A0-la.{suffix}")
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert "Oui." in reply.raw.decode()
    assert "made by AI" in reply.raw.decode()


async def test_one_conversation_goes_out_as_a_document(server: Server) -> None:
    id = await server.begin(title="Été")
    await server.say(id, "script: say=Oui.")
    reply = await server.get(f"/api/conversations/{id}/export?format=docx")
    assert (reply.status, reply.headers["Content-Type"]) == (200, DOCX_MEDIA_TYPE)
    assert reply.headers["Content-Disposition"].endswith("filename*=UTF-8''%C3%89t%C3%A9.docx")
    with zipfile.ZipFile(io.BytesIO(reply.raw)) as document:
        assert "Oui." in document.read("word/document.xml").decode()


async def test_one_conversation_goes_out_as_a_pdf(server: Server) -> None:
    id = await server.begin(title="Été")
    await server.say(id, "script: say=Oui.")
    reply = await server.get(f"/api/conversations/{id}/export?format=pdf&language=fr")
    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/pdf")
    assert reply.headers["Content-Disposition"].endswith("filename*=UTF-8''%C3%89t%C3%A9.pdf")
    with pypdfium2.PdfDocument(reply.raw) as document:
        assert "Oui." in document[0].get_textpage().get_text_range()
    check = await server.post("/api/marks/check?name=a.pdf", data=reply.raw)
    assert (check.body["made"], check.body["credentials"]["trust"]) == ("created", "own")


async def test_an_answer_on_its_way_goes_out_with_what_there_is(server: Server) -> None:
    id = await server.begin()
    begun = await server.ask(id, "script: words=100000 rate=200")
    async with server.open(f"/api/runs/{begun['run']}/events") as response:
        async for line in response.content:
            if b"part.delta" in line:
                break
        exported = (await server.get(f"/api/conversations/{id}/export?format=json")).body
    assert exported["messages"][-1]["status"] == "running"
    assert text_of(exported["messages"][-1])
    refused = await server.post(f"/api/conversations/{id}/shares", {"days": 1})
    assert (refused.status, refused.error["run"]) == (409, begun["run"])
    await server.post(f"/api/runs/{begun['run']}/stop")


async def test_a_wrong_export_is_refused(server: Server) -> None:
    assert (await server.get("/api/conversations/conv_none/export")).status == 404
    id = await server.begin()
    refused = await server.get(f"/api/conversations/{id}/export?format=epub")
    assert refused.status == 400
    assert "'format'" in refused.error["message"]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "export.json is empty"),
        (b"[{]", "breaks off"),
        (b"[]", "holds no conversations"),
        (b"PK\3\4zip", "damaged zip"),
        (b"Dear diary", "neither JSON nor a zip"),
    ],
)
async def test_a_file_that_is_no_export_is_refused(server: Server, data: bytes, sentence: str) -> None:
    refused = await upload(server, data)
    assert refused.status == 400
    assert sentence in refused.error["message"]


async def test_an_import_can_be_dropped_and_is_forgotten_when_done(server: Server) -> None:
    id = (await upload(server, sample("claude"))).body["id"]
    assert (await server.call("DELETE", f"/api/imports/{id}")).status == 204
    for method in ("POST", "DELETE"):
        gone = await server.call(method, f"/api/imports/{id}")
        assert gone.status == 404
        assert "send the file again" in gone.error["message"]
    id = (await upload(server, sample("claude"))).body["id"]
    await carry_out(server, id)
    assert (await server.post(f"/api/imports/{id}")).status == 404


async def test_only_a_few_imports_wait(server: Server) -> None:
    ids = [(await upload(server, sample("librechat"))).body["id"] for _ in range(5)]
    statuses = [(await server.call("DELETE", f"/api/imports/{id}")).status for id in ids]
    assert statuses == [404, 204, 204, 204, 204]


async def test_an_upload_that_fails_drops_no_import_that_waits(server: Server) -> None:
    ids = [(await upload(server, sample("librechat"))).body["id"] for _ in range(MAX_WAITING_IMPORTS)]
    assert (await upload(server, b"[{]")).status == 400
    assert [(await server.call("DELETE", f"/api/imports/{id}")).status for id in ids] == [204] * len(ids)


def kept(server: Server) -> list[str]:
    """The names of the bytes that wait."""
    return [path.name for path in (server.app.settings.data_dir / "imports").glob("??/*")]


async def test_the_bytes_of_an_import_are_kept_for_as_long_as_one_waits(fresh: Server) -> None:
    first, second = [(await upload(fresh, sample("claude"))).body["id"] for _ in range(2)]
    assert len(kept(fresh)) == 1, "the same bytes are kept once"
    await carry_out(fresh, first)
    assert len(kept(fresh)) == 1
    assert (await fresh.call("DELETE", f"/api/imports/{second}")).status == 204
    assert kept(fresh) == []
    assert (await upload(fresh, b"[{]")).status == 400
    assert kept(fresh) == [], "what can't be read doesn't wait"


async def test_an_import_that_has_expired_is_deleted_with_its_bytes(fresh: Server) -> None:
    waiting = (await upload(fresh, sample("claude"))).body["id"]
    blob = kept(fresh)[0]
    old = WaitingImport(id="imp_old", owner=LOCAL_PRINCIPAL.id, name="old.json", blob=blob, created=1, expires=2)
    storage = fresh.app.storage.imports
    await storage.add_import(LOCAL_PRINCIPAL, old)
    assert (await fresh.post("/api/imports/imp_old")).status == 404
    stray = fresh.app.settings.data_dir / "imports" / "ab" / ("ab" * 32)
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"of an upload whose server died")
    os.utime(stray, (1, 1))
    await fresh.app.imports.sweep()
    assert [each.id for each in await storage.list_imports(LOCAL_PRINCIPAL)] == [waiting]
    assert kept(fresh) == [blob]
    assert (await carry_out(fresh, waiting))[-1]["finished"]["conversations"] == 2


def many(count: int, text: str) -> bytes:
    """A Claude export of so many conversations of one exchange each."""
    return orjson.dumps(
        [
            {
                "uuid": f"many-{count}-{number}",
                "name": f"Number {number}",
                "created_at": "2025-01-01T00:00:00Z",
                "chat_messages": [
                    {"uuid": "q", "sender": "human", "text": "Why?"},
                    {"uuid": "a", "sender": "assistant", "text": text},
                ],
            }
            for number in range(count)
        ]
    )


async def test_an_import_larger_than_any_request_goes_to_a_file(fresh: Server) -> None:
    data = many(40, "word " * 200_000)
    assert len(data) > auth.MAX_BODY_BYTES
    read = await upload(fresh, data)
    assert (read.status, read.body["conversations"]) == (201, 40)
    refused = await fresh.call("POST", "/api/conversations", data=data)
    assert refused.status == 413
    assert (await carry_out(fresh, read.body["id"]))[-1]["finished"]["messages"] == 80


async def test_an_import_past_the_limit_is_refused(fresh: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "MAX_IMPORT_BYTES", 1 << 20)
    data = many(10, "word " * 100_000)
    refused = await upload(fresh, data)
    assert refused.status == 413
    assert "larger than 1 MiB" in refused.error["message"]


async def test_who_leaves_stops_an_import_between_two_conversations(fresh: Server) -> None:
    id = (await upload(fresh, many(1000, "Because."))).body["id"]
    async with fresh.http.post(f"{fresh.address}/api/imports/{id}") as response:
        await response.content.readline()
        busy = await fresh.post(f"/api/imports/{id}")
        assert busy.status == 409
    again = busy
    async with asyncio.timeout(60):
        while again.status == 409:
            again = await fresh.post(f"/api/imports/{id}")
    finished = orjson.loads(again.raw.decode().split("\n\n")[-2].removeprefix("data: "))["finished"]
    assert finished["conversations"] + finished["skipped"] == 1000
    assert finished["skipped"] > 0
    assert (await imported(fresh, many(1000, "Because.")))["skipped"] == 1000


async def test_a_zip_of_an_export_is_imported(fresh: Server) -> None:
    finished = await imported(fresh, zipped({"conversations.json": sample("chatgpt"), "user.json": b"{}"}))
    assert finished["conversations"] == 2
    assert "user.json holds no conversations and was left out." in finished["problems"]


async def test_a_share_is_a_snapshot_for_whoever_has_the_link(keyed: Server) -> None:
    key = {"Authorization": "Bearer s3crêt"}
    made = await keyed.call("POST", "/api/conversations", {"title": "Tea"}, headers=key)
    id = made.body["id"]
    turn = {"text": "script: say=Green."}
    stream = {**key, "Accept": "text/event-stream"}
    assert (await keyed.call("POST", f"/api/conversations/{id}/turns", turn, headers=stream)).status == 200
    share = await keyed.call("POST", f"/api/conversations/{id}/shares", {"days": 7}, headers=key)
    assert share.status == 201
    assert share.body["url"] == f"/s/{share.body['id']}"
    assert len(share.body["id"]) == len("share_") + 26
    assert share.body["expires"] - share.body["created"] == 7 * 86_400_000
    await keyed.call("POST", f"/api/conversations/{id}/turns", turn, headers=stream)
    await keyed.call("PATCH", f"/api/conversations/{id}", {"title": "Coffee"}, headers=key)

    read = await keyed.get(f"/api/shared/{share.body['id']}")
    assert read.status == 200
    assert (read.body["title"], read.body["expires"]) == ("Tea", share.body["expires"])
    assert [message["role"] for message in read.body["messages"]] == ["user", "assistant"]
    assert text_of(read.body["messages"][1]) == "Green."
    assert id not in read.raw.decode()
    assert read.headers["X-Robots-Tag"] == "noindex"
    for path in ("/api/shares", f"/api/conversations/{id}", "/api/shared", "/api/healthy"):
        assert (await keyed.get(path)).status == 401

    listed = (await keyed.get("/api/shares", key)).body["shares"]
    assert listed == [{**share.body, "readings": 1}]
    assert (await keyed.call("DELETE", f"/api/shares/{share.body['id']}", headers=key)).status == 204
    gone = await keyed.get(f"/api/shared/{share.body['id']}")
    assert gone.status == 404
    assert "ask for a new link" in gone.error["message"]
    assert (await keyed.call("DELETE", f"/api/shares/{share.body['id']}", headers=key)).status == 404


async def test_a_share_says_who_reviewed_it_and_answers_for_it(server: Server) -> None:
    id = await server.begin(title="Tea")
    await server.say(id, "script: say=Green.")
    unseen = (await server.post(f"/api/conversations/{id}/shares", {"days": 1})).body
    reviewed = (await server.post(f"/api/conversations/{id}/shares", {"days": 1, "reviewer": "Ada Ångström"})).body
    assert (unseen["reviewer"], reviewed["reviewer"]) == (None, "Ada Ångström")
    assert (await server.get(f"/api/shared/{unseen['id']}")).body["reviewer"] is None
    assert (await server.get(f"/api/shared/{reviewed['id']}")).body["reviewer"] == "Ada Ångström"


@pytest.mark.parametrize("format", ["markdown", "json", "html"])
async def test_an_export_says_who_reviewed_it_and_answers_for_it(server: Server, format: str) -> None:
    id = await server.begin(title="Tea")
    await server.say(id, "script: say=Green.")
    path = f"/api/conversations/{id}/export?format={format}"
    plain, reviewed = [(await server.get(path + more)).raw.decode() for more in ("", "&reviewer=Ada%20%26%20Bo")]
    assert "Reviewed by Ada" not in plain
    if format == "html":
        assert ('<p class="ai">' in plain, '<p class="ai">' in reviewed) == (True, False)
        assert "Reviewed by Ada &amp; Bo, who answers for it." in reviewed
    else:
        assert "reviewed_by" not in plain
        assert "Ada & Bo" in reviewed.partition("reviewed_by")[2]
    assert "trainedAlgorithmicMedia" in reviewed.replace("TrainedAlg", "trainedAlg"), "programs are told all the same"


@pytest.mark.parametrize("name", ["", "%20", "a%0Ab", "x" * 101])
async def test_a_reviewer_has_a_name(server: Server, name: str) -> None:
    id = await server.begin(title="Tea")
    assert (await server.get(f"/api/conversations/{id}/export?reviewer={name}")).status == 400


async def test_a_share_expires(server: Server) -> None:
    id = await server.begin(title="Old")
    await server.say(id, "script: say=Hi.")
    now = int(time.time() * 1000)
    await server.app.storage.shares.add_share(
        LOCAL_PRINCIPAL, Share("share_old", LOCAL_PRINCIPAL.id, id, "Old", now - 10, now - 1), "[]"
    )
    expired = await server.get("/api/shared/share_old")
    assert expired.status == 410
    assert "has expired" in expired.error["message"]
    forever = await server.post(f"/api/conversations/{id}/shares", {"days": None})
    assert forever.body["expires"] is None
    assert (await server.get(f"/api/shared/{forever.body['id']}")).status == 200
    await server.call("DELETE", f"/api/conversations/{id}")
    assert (await server.get(f"/api/shared/{forever.body['id']}")).status == 404


@pytest.mark.parametrize("body", [{"days": 0}, {"days": 1.5}, {"days": "x"}, {"days": 10**9}, {"day": 1}, []])
async def test_a_wrong_share_is_refused(server: Server, body: Any) -> None:
    id = await server.begin()
    assert (await server.post(f"/api/conversations/{id}/shares", body)).status == 400


async def test_nothing_is_no_share(server: Server) -> None:
    id = await server.begin()
    refused = await server.post(f"/api/conversations/{id}/shares", {"days": 1})
    assert refused.status == 400
    assert "no messages yet" in refused.error["message"]
    assert (await server.post("/api/conversations/conv_none/shares", {"days": 1})).status == 404


async def test_a_client_that_leaves_while_it_sends_costs_nothing(server: Server) -> None:
    async def half() -> Any:
        yield sample("chatgpt")[:100]
        await asyncio.sleep(30)

    sending = asyncio.create_task(server.http.post(f"{server.address}/api/imports", data=half()))
    await asyncio.sleep(0.2)
    sending.cancel()
    with pytest.raises((asyncio.CancelledError, aiohttp.ClientError)):
        await sending
    assert (await server.get("/api/health")).status == 200
