"""A person's data as a whole: counted, exported, and erased to the last byte, with a receipt."""

# ruff: noqa: ASYNC110 (what is waited for here happens where no event of ours can be set)

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
import pytest_asyncio

from eclair.errors import NotFound
from eclair.schema.ids import new_id
from eclair.schema.images import GeneratedImage
from eclair.schema.principal import Principal
from eclair.settings import Settings
from eclair.storage.backup.backup import back_up
from eclair.storage.backup.repository import BackupRepository
from eclair.storage.egress import CallRecord
from eclair.storage.feeds import StoredFeed
from eclair.transfer.archive_importer import ImportChoices
from eclair.transfer.person_erasure import KEPT_KINDS, START_DELAY_S, check_erasure_receipt
from tests.server.test_accounts import PASSWORD, Headers, member, set_up
from tests.server.test_erasure import gone, holding
from tests.server.test_transfer import many, upload
from tests.support import JSON, Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONFIRM = {"confirm": "erase everything", "password": PASSWORD}


@pytest_asyncio.fixture(loop_scope="module")
async def house(settings: Settings, tmp_path: Path) -> AsyncGenerator[Server]:
    backups = tmp_path / "backups"
    async with serving(replace(settings, accounts="on", erasure_days=0, backup_folder=backups)) as server:
        yield server


async def fill(server: Server, headers: Headers, person: str, word: str) -> None:
    """Keep something of every kind for a person, each with a word in it."""
    store, who = server.app.storage, Principal(person)
    begun = await server.post("/api/conversations", {"title": f"About {word}"}, headers=headers)
    id = begun.body["id"]
    upload = await server.post(f"/api/files?name={word}.md", data=f"# {word}\n\nOn {word}.".encode(), headers=headers)
    turn = {"text": f"{word} asked\nscript: words=3", "files": [upload.body["id"]]}
    run = (await server.post(f"/api/conversations/{id}/turns", turn, headers=headers)).body["run"]
    assert (await server.get(f"/api/runs/{run}/events", headers)).status == 200
    library = (await server.post("/api/libraries", {"name": f"Shelf {word}"}, headers=headers)).body["id"]
    path = f"/api/files?name=b{word}.md&library={library}"
    await server.post(path, data=f"Shelf of {word}".encode(), headers=headers)
    await server.post("/api/projects", {"name": f"Folder {word}"}, headers=headers)
    helper = (await server.post("/api/assistants", {"name": f"Helper {word}"}, headers=headers)).body["id"]
    own = (await server.call("PUT", f"/api/assistants/{helper}/library", headers=headers)).body["library"]
    path = f"/api/files?name=c{word}.md&library={own}"
    await server.post(path, data=f"Help of {word}".encode(), headers=headers)
    await server.post(f"/api/conversations/{id}/shares", {"days": 1}, headers=headers)
    await server.post("/api/prompts", {"name": f"ask-{word}", "text": f"Ask of {word}"}, headers=headers)
    await server.post("/v1/responses", {"model": "scripted", "input": f"{word}\nscript: words=1"}, headers=headers)
    await server.post("/v1/conversations", {"metadata": {"a": word}}, headers=headers)
    await server.post("/api/keys", {"name": f"key {word}"}, headers=headers)
    version = (await server.get("/api/preferences", headers)).body["version"]
    await server.call("PUT", "/api/preferences", {"version": version, "about": f"I like {word}"}, headers=headers)
    await server.post("/api/memories", {"text": f"I like {word}"}, headers=headers)
    asks = {"question": f"What about {word}?", "cron": "0 7 1 1 *", "zone": "UTC"}
    await server.post("/api/schedules", asks, headers=headers)
    message = {"uuid": "q", "sender": "human", "text": word, "created_at": "2025-01-01T00:00:00Z"}
    export = orjson.dumps([{"uuid": word, "name": word, "chat_messages": [message]}])
    assert (await server.post(f"/api/imports?name={word}.json", data=export, headers=headers)).status == 201
    url = f"https://example.org/{word}"
    feed = StoredFeed(id=new_id("feed"), owner=person, url=url, host="example.org", title=word, created=1, due=10**15)
    await store.feeds.add_feeds(who, [feed])
    image = GeneratedImage(new_id("pic"), person, None, 1, f"Drawn {word}", "m", "image/png", 1, 1, 1, "", "")
    await server.app.gallery.add(who, image, f"bytes {word}".encode(), f"small {word}".encode())
    call = CallRecord(
        owner=person,
        moment=1,
        purpose="search",
        run=None,
        method="GET",
        url=url,
        host="example.org",
        address=None,
        country=None,
        sent=1,
        received=1,
        status=200,
        milliseconds=1.0,
        verdict="passed",
        reason=None,
    )
    await store.egress.add_calls([call])
    async with asyncio.timeout(30):
        while (await server.get(f"/api/files/{upload.body['id']}", headers)).body["state"] != "ready":
            await asyncio.sleep(0.05)


async def erased(server: Server, admin: Headers, id: str) -> JSON:
    """Do what is due, and return the receipt."""
    await server.app.person_erasure.run_due()
    reply = await server.get(f"/api/erasures/{id}/receipt", admin)
    assert reply.status == 200, reply
    assert check_erasure_receipt(reply.raw)
    receipt: JSON = reply.body
    return receipt


async def test_nothing_of_an_erased_person_is_left_and_others_keep_theirs(
    house: Server, settings: Settings, tmp_path: Path
) -> None:
    admin = await set_up(house)
    ben, his = await member(house, admin, "benzqerased")
    cleo, hers = await member(house, admin, "cleo")
    await fill(house, his, ben, "zqerased")
    await fill(house, hers, cleo, "zqstaying")
    await house.app.conversations.delete(
        Principal(ben), (await house.post("/api/conversations", {"title": "zqerased"}, headers=his)).body["id"]
    )
    counts = (await house.get(f"/api/people/{ben}/data", admin)).body["counts"]
    assert {
        "conversations": 2,
        "messages": 2,
        "files": 3,
        "assistants": 1,
        "images": 1,
        "feeds": 1,
        "memories": 1,
        "schedules": 1,
        "accounts": 1,
    }.items() <= counts.items()
    await asyncio.to_thread(back_up, settings.data_dir, BackupRepository.create_or_open(tmp_path / "backups", None))
    wrong = await house.post("/api/me/data/erasure", {**CONFIRM, "password": "wrong"}, headers=his)
    assert wrong.status == 401
    assert (await house.post("/api/me/data/erasure", {"confirm": "yes"}, headers=his)).status == 400
    asked = await house.post("/api/me/data/erasure", CONFIRM, headers=his)
    assert asked.status == 202, asked
    receipt = await erased(house, admin, asked.body["id"])
    assert (receipt["person"], receipt["asked_by"], receipt["remaining"]) == (ben, "person", [])
    numbers = {each["kind"]: each["count"] for each in receipt["erased"]}
    assert numbers.pop("names in the audit log") > counts.pop("names in the audit log"), "of the request too"
    assert numbers == {kind: count for kind, count in counts.items() if kind != "outgoing calls"}
    assert [each["kind"] for each in receipt["kept"]] == ["outgoing calls", "requests for erasure"]
    assert len(receipt["backups"]) == 1
    assert receipt["backups"][0]["expires"] > receipt["ended"]
    assert "zqerased" not in str(receipt)
    await gone("zqerased", settings.data_dir)
    assert await asyncio.to_thread(holding, "zqstaying", settings.data_dir)
    assert (await house.get("/api/conversations", his)).status == 401
    assert (await house.get("/api/conversations", hers)).body["conversations"][0]["title"] == "About zqstaying"
    theirs = (await house.get("/api/me/data", hers)).body["counts"]
    assert theirs["files"] == 3
    again = await house.post(f"/api/people/{ben}/data/erasure", {"confirm": "erase everything"}, headers=admin)
    assert again.status == 404


async def test_an_import_that_runs_ends_with_its_person(house: Server) -> None:
    admin = await set_up(house)
    ivo, his = await member(house, admin, "ivo")
    who, app = Principal(ivo), house.app
    id = (await upload(house, many(20, "Because."), headers=his)).body["id"]
    async with aclosing(app.imports.run(who, id, ImportChoices())) as steps:
        await anext(steps)
        asked = await house.post(f"/api/people/{ivo}/data/erasure", {"confirm": "erase everything"}, headers=admin)
        assert asked.status == 202, asked
        erasing = asyncio.create_task(erased(house, admin, asked.body["id"]))
        async with asyncio.timeout(30):
            while await app.storage.imports.list_imports(who):
                await asyncio.sleep(0.01)
        with pytest.raises(NotFound):
            await anext(steps)
    assert (await erasing)["remaining"] == []
    assert (await app.storage.personal_data.count_rows(who)).keys() <= KEPT_KINDS


async def test_what_others_share_with_an_erased_person_stays_theirs(house: Server) -> None:
    admin = await set_up(house)
    ben, _ = await member(house, admin, "ben")
    library = (await house.post("/api/libraries", {"name": "handbook"}, headers=admin)).body["id"]
    share = f"/api/libraries/{library}/shares/everyone"
    assert (await house.call("PUT", share, {"access": "edit"}, headers=admin)).status == 204
    body = {"confirm": "erase everything"}
    asked = await house.post(f"/api/people/{ben}/data/erasure", body, headers=admin)
    assert asked.body["name"] == "ben"
    assert (await erased(house, admin, asked.body["id"]))["remaining"] == []
    assert [each["id"] for each in (await house.get("/api/libraries", admin)).body] == [library]
    assert (await house.get("/api/erasures", admin)).body["erasures"][0]["name"] == ben, "the name is gone with them"


async def test_a_changed_receipt_is_found(house: Server) -> None:
    admin = await set_up(house)
    ben, _ = await member(house, admin)
    body = {"confirm": "erase everything"}
    asked = await house.post(f"/api/people/{ben}/data/erasure", body, headers=admin)
    receipt = await erased(house, admin, asked.body["id"])
    assert receipt["asked_by"] == "administrator"
    assert not check_erasure_receipt(orjson.dumps({**receipt, "person": "person_other"}))
    assert not check_erasure_receipt(b"[]")
    assert not check_erasure_receipt(b"{")


async def test_without_a_time_to_withdraw_it_is_done_at_once(house: Server) -> None:
    admin = await set_up(house)
    ben, _ = await member(house, admin)
    begun = await house.post(f"/api/people/{ben}/data/erasure", CONFIRM, headers=admin)
    assert begun.status == 202, begun
    async with asyncio.timeout(START_DELAY_S / 2):
        while (await house.get(f"/api/erasures/{begun.body['id']}/receipt", admin)).status == 404:
            await asyncio.sleep(0.02)


async def test_until_it_is_due_it_can_be_withdrawn(settings: Settings) -> None:
    async with serving(replace(settings, accounts="on")) as house:
        admin = await set_up(house)
        ben, his = await member(house, admin)
        asked = (await house.post("/api/me/data/erasure", CONFIRM, headers=his)).body
        assert asked["due"] - asked["asked"] == 7 * 86_400_000
        assert (await house.post("/api/me/data/erasure", CONFIRM, headers=his)).status == 409
        assert (await house.get(f"/api/people/{ben}/data", admin)).body["erasure"]["id"] == asked["id"]
        await house.app.person_erasure.run_due()
        assert (await house.get(f"/api/erasures/{asked['id']}/receipt", admin)).status == 404
        assert (await house.call("DELETE", "/api/me/data/erasure", headers=his)).status == 204
        assert (await house.call("DELETE", "/api/me/data/erasure", headers=his)).status == 404
        assert (await house.get("/api/me/data", his)).body["erasure"] is None
        assert (await house.get("/api/erasures", admin)).body == {"erasures": []}


async def test_what_a_deleted_account_kept_can_be_erased(house: Server, settings: Settings) -> None:
    admin = await set_up(house)
    ben, his = await member(house, admin)
    await house.post("/api/conversations", {"title": "zqdeparted"}, headers=his)
    assert (await house.call("DELETE", f"/api/people/{ben}", headers=admin)).status == 204
    body = {"confirm": "erase everything"}
    asked = await house.post(f"/api/people/{ben}/data/erasure", body, headers=admin)
    assert asked.status == 202, asked
    assert (await erased(house, admin, asked.body["id"]))["remaining"] == []
    await gone("zqdeparted", settings.data_dir)


async def test_the_last_administrator_stays(house: Server) -> None:
    admin = await set_up(house)
    reply = await house.post("/api/me/data/erasure", CONFIRM, headers=admin)
    assert reply.status == 409
    assert "last administrator" in reply.error["message"]


async def test_the_owner_of_a_machine_erases_all_of_theirs(settings: Settings) -> None:
    async with serving(replace(settings, erasure_days=0)) as server:
        await fill(server, {}, "local", "zqowner")
        asked = await server.post("/api/me/data/erasure", CONFIRM)
        receipt = await erased(server, {}, asked.body["id"])
        assert receipt["remaining"] == []
        await gone("zqowner", settings.data_dir)


async def test_an_archive_has_everything_of_a_person_and_no_secret(house: Server) -> None:
    admin = await set_up(house)
    ben, his = await member(house, admin)
    _, hers = await member(house, admin, "cleo")
    await fill(house, his, ben, "zqmine")
    await fill(house, hers, _, "zqtheirs")
    data = (await house.get("/api/export", his)).raw
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        texts = {name: archive.read(name) for name in archive.namelist()}
    kinds = {name.removeprefix("personal/") for name in texts if name.startswith("personal/")}
    assert {
        *("accounts.jsonl", "sessions.jsonl", "keys.jsonl", "shared-links.jsonl", "outgoing-calls.jsonl"),
        *("responses-of-the-API.jsonl", "conversations-of-the-API.jsonl", "items-of-the-API.jsonl"),
    } <= kinds
    assert orjson.loads(texts["personal/accounts.jsonl"])["name"] == "ben"
    assert b"zqmine" in texts["personal/items-of-the-API.jsonl"]
    everything = b"".join(texts.values())
    assert b"zqtheirs" not in everything
    assert b"argon2" not in everything
