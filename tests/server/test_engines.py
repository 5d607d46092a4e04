"""Servers are added, changed, probed and removed through the API; their keys go in and never come out."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import logging
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from eclair.llm import registry
from eclair.llm.servers.probe import RED_SQUARE
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import EngineSettings, Settings
from eclair.storage.secrets import KEY_FILE
from eclair.storage.servers import StoredServer
from tests.llm.anthropic_standin import KEY as ANTHROPIC_KEY
from tests.llm.anthropic_standin import SpeakingAnthropic, fail
from tests.llm.gemini_standin import KEY as GEMINI_KEY
from tests.llm.gemini_standin import SpeakingGemini
from tests.llm.servers import Speaking, reply
from tests.llm.standin import Answer, Call, StandIn, standing_in
from tests.support import Door, Server, serving, text_of

KEY = "sk-quite-secret"


@pytest.fixture
async def rack() -> AsyncGenerator[Speaking]:
    async with standing_in() as standin:
        yield Speaking(standin)


@pytest.fixture
async def server(settings: Settings) -> AsyncGenerator[Server]:
    async with serving(settings) as server:
        yield server


async def add(server: Door, **body: Any) -> dict[str, Any]:
    made = await server.post("/api/engines", {"name": "rack", **body})
    assert made.status == 201, made.raw
    return dict(made.body)


async def test_where_the_settings_alone_name_engines_nobody_adds_one(settings: Settings, rack: Speaking) -> None:
    async with serving(settings) as server:
        await add(server, url=rack.url)
    fixed = replace(settings, engines={"own": EngineSettings(rack.url)}, engines_from="file")
    async with serving(fixed) as server:
        listed = (await server.get("/api/engines")).body
        assert (listed["fixed"], [engine["name"] for engine in listed["engines"]]) == (True, ["own"])
        for method, path, body in (
            ("POST", "/api/engines", {"name": "other", "url": rack.url}),
            ("PATCH", "/api/engines/rack", {"country": "FR"}),
            ("PATCH", "/api/engines/own", {"country": "FR"}),
            ("DELETE", "/api/engines/rack", None),
        ):
            refused = await server.call(method, path, body)
            assert refused.status == 403, (method, path)
            assert "`engines_from`" in refused.error["message"]
        assert {model["engine"] for model in (await server.get("/api/models")).body["models"]} <= {"own", "scripted"}
        assert (await server.post("/api/engines/own/probe")).status == 200
    async with serving(settings) as server:
        assert [engine["name"] for engine in (await server.get("/api/engines")).body["engines"]] == ["rack"]


async def probe(server: Door, name: str = "rack") -> dict[str, Any]:
    """What was found, which came one by one before."""
    told = await server.post(f"/api/engines/{name}/probe")
    assert told.status == 200, told.raw
    frames = [orjson.loads(line.removeprefix(b"data: ")) for line in told.raw.split(b"\n\n") if line]
    *found, last = frames
    assert [frame["found"] for frame in found] == last["finished"]["findings"]
    return dict(last["finished"])


def outcomes(found: dict[str, Any]) -> dict[str, str]:
    return {finding["feature"]: finding["outcome"] for finding in found["findings"]}


async def test_a_server_that_is_added_answers_at_once_and_is_gone_when_removed(server: Server, rack: Speaking) -> None:
    assert (await server.get("/api/models")).body["models"][0]["id"] == "scripted"
    added = await add(server, url=f"{rack.url}/", country=None)
    assert (added["url"], added["state"], added["answers"], added["keyed"]) == (rack.url, "ready", ["muse"], False)
    assert (added["origin"], added["place"]["where"], added["note"], added["probe"]) == ("added", "machine", None, None)
    answer = await server.say(await server.begin(), "Hello?", model="muse")
    assert (text_of(answer), answer["model"]) == ("OK", "muse")
    assert (await server.get("/api/engines/rack")).body == added
    assert (await server.call("DELETE", "/api/engines/rack")).status == 204
    assert "muse" not in str((await server.get("/api/models")).body)
    assert (await server.get("/api/engines")).body["engines"] == []
    for method, path in (("DELETE", ""), ("PATCH", ""), ("GET", ""), ("POST", "/probe")):
        gone = await server.call(method, f"/api/engines/rack{path}", {} if method == "PATCH" else None)
        assert (gone.status, gone.error["code"]) == (404, "not_found")


@pytest.fixture
async def claude() -> AsyncGenerator[SpeakingAnthropic]:
    async with standing_in() as standin:
        yield SpeakingAnthropic(standin, says=[])


async def test_a_test_finds_out_which_api_a_server_speaks(server: Server, claude: SpeakingAnthropic) -> None:
    added = await add(server, url=claude.url, key=ANTHROPIC_KEY)
    assert added["api"] is None
    found = outcomes(await probe(server))
    unable = ("logprobs", "tokenize", "embeddings")
    assert {feature for feature, outcome in found.items() if outcome == "no"} == {*unable}
    assert {outcome for feature, outcome in found.items() if feature not in unable} == {"yes"}
    shown = (await server.get("/api/engines/rack")).body
    assert (shown["api"], shown["state"], shown["answers"]) == ("anthropic", "ready", ["claude-muse"])


async def test_a_server_of_the_settings_is_told_which_api_to_state(
    settings: Settings, claude: SpeakingAnthropic
) -> None:
    own = replace(settings, engines={"rack": EngineSettings(claude.url, key=ANTHROPIC_KEY)})
    async with serving(own) as server:
        assert (await probe(server))["notes"] == [
            'It does not speak OpenAI\'s API; set `api = "anthropic"` in its settings.'
        ]
    stated = replace(own, engines={"rack": EngineSettings(claude.url, key=ANTHROPIC_KEY, api="anthropic")})
    async with serving(stated) as server:
        assert (await probe(server))["notes"] == []
        assert "claude-muse" in str((await server.get("/api/models")).body)


async def test_a_server_of_geminis_api_is_found_out_and_answers(server: Server) -> None:
    async with standing_in() as standin:
        SpeakingGemini(standin, says=[])
        await add(server, url=standin.url, key=GEMINI_KEY)
        found = await probe(server)
        unable = ("logprobs", "tokenize")
        assert {feature for feature, outcome in outcomes(found).items() if outcome != "yes"} == {*unable}
        shown = (await server.get("/api/engines/rack")).body
        assert (shown["api"], shown["state"], shown["probe"]) == ("gemini", "ready", found)
        answer = await server.say(await server.begin(), "Hello?", model="gemini-3-muse")
        assert text_of(answer) == "OK"
        vectors = await server.post("/v1/embeddings", {"model": "embed-muse", "input": ["a", "abc"]})
        assert [row["embedding"] for row in vectors.body["data"]] == [[0.5, 1.0], [0.5, 3.0]]


async def test_a_server_of_anthropics_api_answers_under_the_same_rules(
    server: Server, claude: SpeakingAnthropic, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await add(server, url=claude.url, key=ANTHROPIC_KEY, api="anthropic")
    answer = await server.say(await server.begin(), "Hello?", model="claude-muse")
    assert text_of(answer) == "OK"
    image = {"type": "image_url", "image_url": {"url": RED_SQUARE}}
    asked = {"model": "claude-muse", "messages": [{"role": "user", "content": [image]}]}
    seen = await server.post("/v1/chat/completions", asked)
    assert seen.body["choices"][0]["message"]["content"] == "Red."
    assert ANTHROPIC_KEY not in caplog.text
    claude.standin.routes["/v1/messages"] = lambda call: fail(
        call, 529, "overloaded_error", "Overloaded", Retry_After="30"
    )
    busy = await server.post("/v1/chat/completions", {**asked, "messages": [{"role": "user", "content": "Hi"}]})
    assert (busy.status, busy.headers["Retry-After"]) == (429, "30")
    changed = await server.call("PATCH", "/api/engines/rack", {"api": ""})
    assert changed.body["api"] is None


async def test_a_key_is_sent_to_its_server_and_shown_nowhere(
    server: Server, rack: Speaking, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    rack.key = KEY
    await add(server, url=rack.url, key=f" {KEY}\n")
    shown = await server.get("/api/engines")
    assert shown.body["engines"][0]["keyed"] is True
    assert text_of(await server.say(await server.begin(), "Hello?", model="muse")) == "OK"
    await probe(server)
    replies = [
        shown,
        *[await server.get(path) for path in ("/api/engines/rack", "/api/about", "/api/health", "/api/export")],
    ]
    assert all(KEY.encode() not in reply.raw for reply in replies)
    assert KEY not in caplog.text
    folder = server.app.settings.data_dir
    assert [path for path in folder.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()] == []
    changed = await server.call("PATCH", "/api/engines/rack", {"key": ""})
    assert (changed.body["keyed"], changed.body["state"]) == (False, "down")


async def test_a_key_that_a_server_repeats_is_not_passed_on(server: Server, rack: Speaking) -> None:
    async def tell(call: Call) -> None:
        await reply(call, {"error": {"message": f"What is {call.headers['authorization']} to me?"}}, 400)

    await add(server, url=rack.url, key=KEY)
    rack.standin.routes["/v1/chat/completions"] = tell
    answer = await server.say(await server.begin(), "Hello?", model="muse")
    assert "(the key)" in answer["fault"]["message"]
    assert KEY not in str(answer)
    assert KEY not in str(await probe(server))


async def test_a_key_does_not_go_to_another_host(server: Server, rack: Speaking) -> None:
    await add(server, url=rack.url, key=KEY)
    same = await server.call("PATCH", "/api/engines/rack", {"url": f"{rack.standin.url}/api/v1", "context": 4096})
    assert (same.body["keyed"], same.body["context"]) == (True, 4096)
    async with standing_in() as other:
        moved = await server.call("PATCH", "/api/engines/rack", {"url": f"{other.url}/v1"})
        assert (moved.status, moved.body["keyed"]) == (200, False)
        await server.get("/api/models")
        assert other.calls
        assert all("authorization" not in call.headers for call in other.calls)


async def test_further_addresses_share_the_work_and_the_key(server: Server, rack: Speaking) -> None:
    rack.key = KEY
    async with standing_in() as standin:
        other = Speaking(standin, key=KEY)
        further = [{"url": f"{other.url}/", "weight": 2}]
        added = await add(server, url=rack.url, key=KEY, endpoints=further)
        assert [(each["url"], each["weight"]) for each in added["endpoints"]] == [(rack.url, 1), (other.url, 2)]
        assert {each["state"] for each in added["endpoints"]} == {"ready"}
        assert text_of(await server.say(await server.begin(), "Hello?", model="muse")) == "OK"
        asked = [call for each in (rack, other) for call in each.standin.calls if call.path.endswith("/completions")]
        assert [call.headers["authorization"] for call in asked] == [f"Bearer {KEY}"]

        same = await server.call("PATCH", "/api/engines/rack", {"country": "FR"})
        assert (len(same.body["endpoints"]), same.body["keyed"]) == (2, True), "what isn't named stays"
        alone = await server.call("PATCH", "/api/engines/rack", {"endpoints": []})
        assert (alone.body["endpoints"], alone.body["keyed"]) == ([], True), "no other host gets the key"
        wider = await server.call("PATCH", "/api/engines/rack", {"endpoints": further})
        assert (len(wider.body["endpoints"]), wider.body["keyed"]) == (2, False), "another host would get the key"
        keyed = await server.call("PATCH", "/api/engines/rack", {"key": KEY})
        assert {each["state"] for each in keyed.body["endpoints"]} == {"ready"}


@pytest.mark.parametrize(
    ("endpoints", "words"),
    [
        ([{"url": "nowhere"}], "'nowhere' is not an address"),
        ([{"url": "http://a/v1"}, {"url": "http://a/v1/"}], "http://a/v1 is there twice"),
        ([{"url": "http://a/v1", "weight": 0}], "more than 0 and at most 1,000"),
        ([{"url": "http://a/v1", "port": 3}], "port"),
        ([{"url": "http://a/v1"}] * 101, "at most 100"),
    ],
)
async def test_further_addresses_that_cannot_be(
    server: Server, rack: Speaking, endpoints: list[dict[str, Any]], words: str
) -> None:
    refused = await server.post("/api/engines", {"name": "rack", "url": rack.url, "endpoints": endpoints})
    assert refused.status == 400
    assert words in refused.error["message"]


async def test_a_secret_that_is_lost_costs_that_key_and_nothing_else(settings: Settings, rack: Speaking) -> None:
    async with serving(settings) as server:
        await add(server, url=rack.url, key=KEY)
        await server.post("/api/engines", {"name": "open", "url": rack.url, "models": ["other"]})
    secret = settings.data_dir / KEY_FILE
    kept = secret.read_bytes()
    secret.unlink()
    async with serving(settings) as server:
        locked = (await server.get("/api/engines/rack")).body
        assert (locked["state"], locked["keyed"], "put it back, or set the key again" in locked["detail"]) == (
            "down",
            True,
            True,
        )
        health = (await server.get("/api/health")).body
        assert (health["status"], health["engines"]["rack"]["state"]) == ("ready", "down")
        assert {"scripted", "muse", "other"} == {
            model["id"] for model in (await server.get("/api/models")).body["models"]
        }
        assert text_of(await server.say(await server.begin(), "script: say=fine")) == "fine"
        refused = await server.post("/api/engines/rack/probe")
        assert (refused.status, refused.error["code"]) == (503, "settings")
        secret.write_bytes(kept)
        server.app.registry.refresh()
        assert (await server.get("/api/engines/rack")).body["state"] == "ready"


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({}, 400, "url"),
        ({"url": "rack"}, 400, "url"),
        ({"url": "ftp://rack/v1"}, 400, "url"),
        ({"url": "http://ada:x@rack/v1"}, 400, "url"),
        ({"name": "a b"}, 400, "name"),
        ({"name": "../x"}, 400, "name"),
        ({"name": ""}, 400, "name"),
        ({"name": "x" * 41}, 400, "name"),
        ({"name": "scripted"}, 409, None),
        ({"name": "configured"}, 409, None),
        ({"name": "taken"}, 409, None),
        ({"key": "a\nb"}, 400, "key"),
        ({"key": "clé"}, 400, "key"),
        ({"models": [""]}, 400, "models"),
        ({"context": -1}, 400, "context"),
        ({"country": "France"}, 400, "country"),
        ({"price": 3}, 400, "price"),
    ],
)
async def test_what_cannot_be_added(settings: Settings, body: dict[str, Any], status: int, param: str | None) -> None:
    configured = replace(settings, engines={"configured": EngineSettings("http://127.0.0.1:9/v1")})
    async with serving(configured) as server:
        await server.post("/api/engines", {"name": "taken", "url": "http://127.0.0.1:9/v1"})
        wanted = {"name": "rack", **({"url": "http://127.0.0.1:9/v1"} if body else {}), **body}
        refused = await server.post("/api/engines", wanted)
        assert (refused.status, refused.error["param"]) == (status, param)
        assert len((await server.get("/api/engines")).body["engines"]) == 2


async def test_one_of_the_settings_is_shown_and_stays(settings: Settings, rack: Speaking) -> None:
    configured = replace(settings, engines={"house": EngineSettings(rack.url, KEY)})
    async with serving(configured) as server:
        (house,) = (await server.get("/api/engines")).body["engines"]
        assert (house["name"], house["origin"], house["keyed"], house["answers"]) == ("house", "file", True, ["muse"])
        for method, body in (("DELETE", None), ("PATCH", {"country": "FR"})):
            refused = await server.call(method, "/api/engines/house", body)
            assert (refused.status, "is in the settings" in refused.error["message"]) == (409, True)
        found = await probe(server, "house")
        assert found["fault"] is None
        assert (await server.get("/api/engines/house")).body["probe"] == found


async def test_an_unreachable_server_is_added_and_holds_up_nobody(server: Server, rack: Speaking) -> None:
    async def silent(call: Call) -> None:
        await call.gone()

    rack.standin.routes["/v1/models"] = silent
    pause = registry.LIST_TIMEOUT_S
    began = asyncio.get_running_loop().time()
    added = await add(server, url=rack.url)
    waited = asyncio.get_running_loop().time() - began
    assert added["answers"] == []
    assert waited < pause + 5
    down = await server.post("/api/engines", {"name": "down", "url": "http://127.0.0.1:9/v1"})
    assert (down.status, down.body["state"], "cannot be reached" in down.body["detail"]) == (201, "down", True)
    assert text_of(await server.say(await server.begin(), "script: say=fine")) == "fine"


async def test_another_process_adds_one_and_it_is_seen_when_the_list_is_stale(
    server: Server, rack: Speaking, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(server.app.settings) as other:
        await add(other, url=rack.url)
    monkeypatch.setattr(registry, "MODEL_LIST_TTL_S", 0.0)
    assert "muse" in {model["id"] for model in (await server.get("/api/models")).body["models"]}


async def test_a_good_server_is_seen_to_do_everything(server: Server, rack: Speaking) -> None:
    await add(server, url=rack.url)
    found = await probe(server)
    assert set(outcomes(found).values()) == {"yes"}
    assert len(found["findings"]) == 10
    assert (found["model"], found["url"], found["fault"], found["notes"]) == ("muse", rack.url, None, [])
    assert (await server.get("/api/engines/rack")).body["probe"] == found
    await server.call("PATCH", "/api/engines/rack", {"url": f"{rack.standin.url}/other"})
    assert (await server.get("/api/engines/rack")).body["probe"] is None


async def test_a_server_that_ignores_what_it_is_asked(server: Server, rack: Speaking) -> None:
    rack.abilities = set()
    rack.claims = "another-model"
    rack.standin.routes["/tokenize"] = lambda call: call.reply(404)
    rack.standin.routes["/v1/embeddings"] = lambda call: call.reply(500, b"{}")
    await add(server, url=rack.url)
    found = await probe(server)
    yes = {"answers", "streams"}
    assert {feature for feature, outcome in outcomes(found).items() if outcome == "yes"} == yes
    assert outcomes(found)["embeddings"] == "failed"
    assert {feature for feature, outcome in outcomes(found).items() if outcome == "no"} == {
        *("usage", "tools", "json_schema", "vision", "logprobs", "prefix_cache", "tokenize")
    }
    assert all(finding["detail"].endswith(".") for finding in found["findings"] if finding["outcome"] != "yes")
    assert found["notes"] == ["Asked for muse, it says that another-model answered."]


async def test_a_server_lists_models_that_it_does_not_have(server: Server, rack: Speaking) -> None:
    rack.lists = ["ghost", "muse"]
    await add(server, url=rack.url)
    found = await probe(server)
    assert (found["model"], found["fault"]) == ("muse", None)
    assert found["notes"] == ["It lists the model ghost but does not have it: The model ghost does not exist."]
    rack.has = []
    assert "does not have it" in (await probe(server))["fault"]


async def page(call: Call) -> None:
    await call.reply(200, b"<!doctype html><title>Hello</title>", Content_Type="text/html")


@pytest.mark.parametrize("keyed", [False, True])
async def test_a_server_wants_a_key_or_another(server: Server, rack: Speaking, keyed: bool) -> None:
    rack.key = "right"
    await add(server, url=rack.url, key="wrong" if keyed else None)
    fault = (await probe(server))["fault"]
    assert ("may have expired" if keyed else "asks for a key") in fault


@pytest.mark.parametrize("wrong", ["", "/v2", "/v1/v1"])
async def test_the_address_that_was_meant_is_found(server: Server, rack: Speaking, wrong: str) -> None:
    rack.standin.routes["/models"] = page
    await add(server, url=f"{rack.standin.url}{wrong}")
    found = await probe(server)
    assert found["address"] == rack.url
    assert found["fault"].endswith(f"there is at {rack.url}; use that.")


async def test_the_address_that_was_meant_may_want_a_key(server: Server, rack: Speaking) -> None:
    rack.key = KEY
    await add(server, url=rack.standin.url)
    assert (await probe(server))["address"] == rack.url


async def moved(call: Call) -> None:
    await call.reply(301, Location="https://ai.example.org/v1/models")


async def sign_in(call: Call) -> None:
    await call.reply(302, Location="/login")


def replying(status: int, body: bytes = b"") -> Answer:
    return lambda call: call.reply(status, body)


async def stuck(call: Call) -> None:
    await call.stream(b"x", end=False)


@pytest.mark.parametrize(
    ("answer", "words", "address"),
    [
        (page, "sends a web page", None),
        (replying(200, b"[]"), "not a list of models", None),
        (replying(404), "There is no API at this address", None),
        (replying(500, b'{"error": {"message": "Out of memory"}}'), "Out of memory.", None),
        (moved, "use that address", "https://ai.example.org/v1"),
        (sign_in, "is not followed", None),
        (stuck, "does not answer", None),
    ],
)
async def test_what_is_no_server_is_one_sentence(
    server: Server, rack: Speaking, monkeypatch: pytest.MonkeyPatch, answer: Answer, words: str, address: str | None
) -> None:
    monkeypatch.setattr("eclair.llm.servers.discovery.LIST_TIMEOUT_S", 0.3)
    rack.standin.routes = {"/v1/models": answer}
    await server.app.storage.servers.add_server(
        LOCAL_PRINCIPAL, StoredServer("rack", rack.url, None, (), None, None, 1)
    )
    found = await probe(server)
    assert words in found["fault"]
    assert found["fault"].endswith(".")
    assert found["address"] == address
    assert [finding["feature"] for finding in found["findings"]] == ["answers"]
    assert not any(call.path == "/login" for call in rack.standin.calls)


async def test_an_answer_that_is_a_web_page(server: Server, rack: Speaking) -> None:
    rack.standin.routes["/v1/chat/completions"] = page
    await add(server, url=rack.url)
    found = await probe(server)
    assert "sends a web page" in found["fault"]


async def test_a_certificate_that_nobody_vouches_for(server: Server, tmp_path: Path) -> None:
    async with encrypted(tmp_path) as url:
        await add(server, url=f"{url}/v1")
        assert "self-signed" in (await probe(server))["fault"]


async def test_a_server_that_speaks_http_at_an_address_of_https(server: Server) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        await add(server, url=f"https://127.0.0.1:{port}/v1")
        assert f"does not speak https; use http://127.0.0.1:{port}/v1" in (await probe(server))["fault"]


@asynccontextmanager
async def encrypted(folder: Path) -> AsyncGenerator[str]:
    """A server with a certificate that it signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    standin = StandIn()
    listening = await asyncio.start_server(standin.serve, "127.0.0.1", 0, ssl=context)
    try:
        yield f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()
