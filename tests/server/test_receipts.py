"""Receipts of answers, through the door: issued, published keys, and the check."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
import pytest_asyncio

from eclair.chat.receipt_signing import check_receipt
from eclair.settings import EngineSettings, Settings
from eclair.storage.signing_key import decode_key
from tests.cli.test_cli import Eclair
from tests.llm.standin import standing_in
from tests.server.test_outgoing_calls import RACK, speak
from tests.support import Door, Reply, Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")
RAW = {"Content-Type": "application/octet-stream"}


@pytest_asyncio.fixture(loop_scope="module")
async def away(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Server]:
    """A server whose one engine is not on this machine: a proxy leads to it."""
    async with standing_in() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "")
        listing = orjson.dumps({"data": [{"id": "muse"}]})
        proxy.routes[f"{RACK}/models"] = lambda call: call.reply(200, listing)
        proxy.routes[f"{RACK}/chat/completions"] = speak
        own = replace(settings, scripted=False, engines={"rack": EngineSettings(RACK)}, titles=False, egress="listed")
        async with serving(own) as server:
            yield server


async def published(server: Door) -> bytes:
    reply = await server.get("/.well-known/eclair-receipts.json")
    assert reply.status == 200, reply
    (key,) = reply.body["keys"]
    assert key["algorithm"] == "Ed25519"
    return decode_key(key["public_key"])


async def issue(server: Door, conversation: str, answer: str) -> Reply:
    return await server.get(f"/api/conversations/{conversation}/messages/{answer}/receipt")


async def test_an_answer_made_here_has_a_receipt_that_the_published_key_proves(server: Server) -> None:
    conversation = await server.begin()
    answer = await server.say(conversation, "script: say=because")
    reply = await issue(server, conversation, answer["id"])
    assert reply.status == 200
    assert f"eclair-receipt-{answer['id']}.json" in reply.headers["Content-Disposition"]
    check = check_receipt(reply.raw, await published(server))
    assert (check.state, check.own) == ("valid", True)
    receipt = reply.body
    assert receipt["answer"]["text_sha256"] == hashlib.sha256(b"because").hexdigest()
    assert receipt["answer"]["question_sha256"] == hashlib.sha256(b"script: say=because").hexdigest()
    assert (receipt["model"]["id"], receipt["model"]["place"]) == ("scripted", "machine")
    assert receipt["outside"] == {"complete": True, "calls": []}
    assert receipt["usage"]["completion_tokens"] == answer["usage"]["completion_tokens"]
    assert receipt["marks"]["digital_source_type"].endswith("trainedAlgorithmicMedia")


async def test_what_was_asked_of_whom_is_in_it(away: Server) -> None:
    conversation = await away.begin()
    answer = await away.say(conversation, "Hello")
    receipt = (await issue(away, conversation, answer["id"])).body
    (call,) = receipt["outside"]["calls"]
    assert (call["host"], call["purpose"], call["verdict"]) == ("rack.example", "engine", "passed")
    assert call["sent"] > 0 < call["received"]
    assert (receipt["model"]["engine"], receipt["model"]["place"]) == ("rack", "unknown")


async def test_sources_are_named_by_their_hashes(server: Server) -> None:
    data = b"The bridge at Aven was opened in 1931. It is 212 metres long.\n"
    uploaded = await server.post("/api/files?name=bridge.txt", data=data, headers=RAW)
    assert uploaded.status == 201, uploaded
    conversation = await server.begin()
    answer = await server.say(conversation, "When was the bridge at Aven opened?", files=[uploaded.body["id"]])
    receipt = (await issue(server, conversation, answer["id"])).body
    assert [source["name"] for source in receipt["sources"]] == ["bridge.txt"] * len(answer["passages"])
    (source, *_) = receipt["sources"]
    assert source["file_sha256"] == hashlib.sha256(data).hexdigest()
    assert source["passage_sha256"] == hashlib.sha256(answer["passages"][0]["text"].encode()).hexdigest()
    await server.call("DELETE", f"/api/files/{uploaded.body['id']}")
    again = (await issue(server, conversation, answer["id"])).body
    assert again["sources"][0]["file_sha256"] is None


async def test_only_finished_answers_of_ones_own_have_one(server: Server) -> None:
    conversation = await server.begin()
    answer = await server.say(conversation, "script: say=yes")
    tree = await server.tree(conversation)
    question = next(message["id"] for message in tree["messages"] if message["role"] == "user")
    assert (await issue(server, conversation, question)).error["code"] == "not_found"
    assert (await issue(server, conversation, "msg_nowhere")).status == 404
    other = await server.begin()
    assert (await issue(server, other, answer["id"])).status == 404
    begun = await server.ask(conversation, "script: words=100000 rate=500")
    assert (await issue(server, conversation, begun["answer"])).status == 409
    await server.post(f"/api/runs/{begun['run']}/stop")


async def test_the_check_of_marks_knows_receipts(server: Server, tmp_path: Path) -> None:
    conversation = await server.begin()
    answer = await server.say(conversation, "script: say=because")
    data = (await issue(server, conversation, answer["id"])).raw

    async def check(content: bytes) -> dict[str, object]:
        return (await server.post("/api/marks/check?name=r.json", data=content, headers=RAW)).body["receipt"]

    found = await check(data)
    assert (found["state"], found["own"]) == ("valid", True)
    assert (await check(data.replace(b'"Scripted"', b'"Scribbled"').replace(b'"scripted"', b'"other"')))["state"] == (
        "altered"
    )
    assert (await server.post("/api/marks/check?name=a.json", data=b"{}", headers=RAW)).body["receipt"] is None


async def test_the_command_verifies_offline(server: Server, tmp_path: Path) -> None:
    conversation = await server.begin()
    answer = await server.say(conversation, "script: say=because")
    data = (await issue(server, conversation, answer["id"])).raw
    file, keys, text = tmp_path / "receipt.json", tmp_path / "keys.json", tmp_path / "answer.txt"
    file.write_bytes(data)
    keys.write_bytes((await server.get("/.well-known/eclair-receipts.json")).raw)
    text.write_text("because\n")
    run = Eclair(tmp_path / "home")
    alone = run("receipt", "verify", str(file))
    assert alone.returncode == 0
    assert "Unaltered since it was signed" in alone.stdout
    told = run("receipt", "verify", str(file), "--key", str(keys), "--text", str(text))
    assert told.returncode == 0
    assert "Valid: signed with the expected key" in told.stdout
    assert "is the text of that answer" in told.stdout
    shown = run("receipt", "show", str(file))
    assert "Nothing left the machine." in shown.stdout
    text.write_text("because not")
    assert run("receipt", "verify", str(file), "--text", str(text)).returncode == 2
    assert "another key" in run("receipt", "verify", str(file), "--key", "A" * 43).stdout
    file.write_bytes(data.replace(b"because", b"B").replace(b'"characters": 7', b'"characters": 8'))
    altered = run("receipt", "verify", str(file))
    assert altered.returncode == 2
    assert "not as it was signed" in altered.stdout
    assert orjson.loads(run("receipt", "verify", "--json", str(file)).stdout)["state"] == "altered"
