"""Signing in at MCP servers by OAuth 2.1: each person for themselves, renewed, revoked, and kept encrypted."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from hashlib import sha256
from typing import Any
from unittest.mock import AsyncMock, Mock
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest
import pytest_asyncio
from mcp.shared.auth import OAuthClientInformationFull

from eclair.errors import EngineUnavailable
from eclair.live_settings import LiveSettings
from eclair.mcp_servers.service import McpService
from eclair.mcp_servers.sign_in_keeper import SignInKeeper
from eclair.mcp_servers.sign_ins import MAX_PENDING
from eclair.network.gate import OutboundGate
from eclair.schema.audit import ActFilter
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.schema.works_council import is_own_matter
from eclair.settings import Settings
from eclair.storage.base import Storage
from eclair.storage.open import open_storage
from eclair.storage.secrets import Vault
from tests.images.support import until
from tests.mcp_servers.oauth_server import Authorizing, Lie, authorizing, visit
from tests.server.test_accounts import Headers, member, set_up
from tests.support import JSON, Reply, Server, serving

KEY = "k" * 24
OWNER = {"Authorization": f"Bearer {KEY}"}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def provider() -> Authorizing:
    return Authorizing()


@pytest_asyncio.fixture(loop_scope="module")
async def notes(provider: Authorizing) -> AsyncGenerator[str]:
    async with authorizing(provider) as address:
        yield address


@pytest_asyncio.fixture(loop_scope="module")
async def asking(settings: Settings, notes: str) -> AsyncGenerator[Server]:
    async with serving(replace(settings, egress="offline")) as server:
        yield server


async def add(server: Server, url: str, headers: Headers | None = None) -> str:
    made = await server.post("/api/mcp-servers", {"name": "notes", "url": url}, headers=headers)
    assert made.status == 201, made
    return str(made.body["id"])


async def begin(server: Server, id: str, headers: Headers | None = None) -> str:
    reply = await server.post(f"/api/mcp-servers/{id}/sign-in", {}, headers=headers)
    assert reply.status == 200, reply
    return str(reply.body["url"])


async def finish(server: Server, answer: JSON, headers: Headers | None = None) -> Reply:
    return await server.post("/api/mcp-servers/sign-ins", answer, headers=headers)


async def check(server: Server, id: str) -> JSON:
    body: JSON = (await server.post(f"/api/mcp-servers/{id}/check", {})).body
    return body


async def test_a_server_wants_a_sign_in_and_is_used_after_it(asking: Server, notes: str, provider: Authorizing) -> None:
    id = await add(asking, notes)
    before = await check(asking, id)
    assert (before["state"], before["wants_sign_in"], before["signed_in"]) == ("down", True, False)
    url = await begin(asking, id)
    query = query_of(url)
    assert (query["code_challenge_method"], query["response_type"], query["resource"]) == ("S256", "code", notes)
    assert query["redirect_uri"] == f"{asking.address}/settings/mcp"
    reply = await finish(asking, await visit(url))
    assert (reply.status, reply.body["signed_in"], reply.body["wants_sign_in"]) == (200, True, False)
    assert [tool["name"] for tool in reply.body["seen"]["tools"]] == ["read_note"]
    (client,) = provider.clients.values()
    assert client.client_name == "Éclair"
    again = await finish(asking, {"state": query["state"], "code": "x"})
    assert again.status == 404
    sealed = await asking.app.storage.mcp_sign_ins.find_mcp_sign_in(LOCAL_PRINCIPAL, id)
    assert sealed is not None
    assert not any(token.encode() in sealed for token in (*provider.access, *provider.refresh))
    out = await asking.call("DELETE", f"/api/mcp-servers/{id}/sign-in")
    assert (out.status, out.body["signed_in"], provider.refresh) == (200, False, {})
    assert (await check(asking, id))["wants_sign_in"]
    assert (await asking.call("DELETE", f"/api/mcp-servers/{id}/sign-in")).status == 404


async def test_a_sign_in_is_finished_at_another_server(
    asking: Server, settings: Settings, notes: str, provider: Authorizing
) -> None:
    id = await add(asking, notes)
    answer = await visit(await begin(asking, id))
    pending = await asking.app.storage.sign_in_states.find_sign_in_state(sha256(answer["state"].encode()).digest())
    assert pending is not None
    assert not any(client in pending.state for client in provider.clients), "it is encrypted"
    async with serving(replace(settings, egress="offline")) as other:
        reply = await finish(other, answer)
        assert (reply.status, reply.body["signed_in"]) == (200, True)
        for server in (other, asking):
            assert (await finish(server, answer)).status == 404, "it counts once"
    assert (await asking.get(f"/api/mcp-servers/{id}")).body["signed_in"]


async def test_a_sign_in_that_took_too_long_is_begun_again(asking: Server, notes: str) -> None:
    id = await add(asking, notes)
    answer = await visit(await begin(asking, id))
    states, digest = asking.app.storage.sign_in_states, sha256(answer["state"].encode()).digest()
    pending = await states.take_sign_in_state(digest)
    assert pending is not None
    await states.add_sign_in_state(digest, replace(pending, expires=1), 0, MAX_PENDING)
    late = await finish(asking, answer)
    assert (late.status, "begin again" in late.error["message"]) == (404, True)


async def test_a_reply_without_tokens_is_told_in_a_sentence(asking: Server, notes: str, provider: Authorizing) -> None:
    provider.lies = {"/token": {"access_token": None}}
    id = await add(asking, notes)
    reply = await finish(asking, await visit(await begin(asking, id)))
    assert (reply.status, reply.error["message"]) == (
        502,
        "The sign-in of the MCP server 'notes' gave no tokens (its reply holds none); sign in again, or check the "
        "client's ID and secret if you set them.",
    )


DESCRIPTION = "/.well-known/oauth-authorization-server"


def id_token(**claims: str) -> str:
    body = base64.urlsafe_b64encode(orjson.dumps(claims)).decode().rstrip("=")
    return f"e30.{body}.c2ln"


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "none"])
async def test_a_client_that_was_registered_by_hand_signs_in(
    asking: Server, notes: str, provider: Authorizing, method: str
) -> None:
    secret = None if method == "none" else "se cret/1"
    uris: Any = [f"{asking.address}/settings/mcp"]
    provider.clients["eclair at home"] = OAuthClientInformationFull(
        client_id="eclair at home", client_secret=secret, redirect_uris=uris, token_endpoint_auth_method=method
    )
    provider.lies = {
        DESCRIPTION: {"registration_endpoint": None, "token_endpoint_auth_methods_supported": [method]},
        "/token": {"id_token": id_token(sub="7", email="ada@example.org")},
    }
    id = await add(asking, notes)
    changed = await asking.call(
        "PATCH", f"/api/mcp-servers/{id}", {"client_id": "eclair at home", "client_secret": secret or ""}
    )
    kept = [] if secret is None else ["client_secret"]
    assert (changed.body["client_id"], changed.body["secrets"]) == ("eclair at home", kept)
    url = await begin(asking, id)
    assert query_of(url)["client_id"] == "eclair at home"
    reply = await finish(asking, await visit(url))
    assert (reply.status, reply.body["signed_in"], reply.body["signed_in_as"]) == (200, True, "ada@example.org")
    other = await asking.call("PATCH", f"/api/mcp-servers/{id}", {"client_id": ""})
    assert (other.body["client_id"], other.body["secrets"]) == (None, []), "its secret went with it"


async def test_userinfo_says_who_somebody_is_and_may_fail(asking: Server, notes: str, provider: Authorizing) -> None:
    origin = notes.removesuffix("/mcp")
    for userinfo, claims, account in (
        (f"{origin}/userinfo", {"sub": "7", "name": "Ada"}, "Ada"),
        (f"{origin}/userinfo", {"sub": "7", "name": "two\nlines", "email": 7}, None),
        (f"{origin}/nowhere", {}, None),
        ("http://192.0.2.1/userinfo", {}, None),
    ):
        provider.lies = {DESCRIPTION: {"userinfo_endpoint": userinfo}, "/token": {"id_token": "no.token.at.all"}}
        provider.userinfo = claims
        id = await add(asking, notes)
        reply = await finish(asking, await visit(await begin(asking, id)))
        assert (reply.status, reply.body["signed_in"], reply.body["signed_in_as"]) == (200, True, account)
        (token,) = {*provider.tokens_at("/userinfo")} if account or claims else {""}
        assert token in provider.access or not claims
        provider.requests.clear()
        assert (await asking.call("DELETE", f"/api/mcp-servers/{id}")).status == 204


async def test_tokens_are_renewed_and_a_lost_sign_in_is_said(asking: Server, notes: str, provider: Authorizing) -> None:
    provider.lifetime_s = 0
    id = await add(asking, notes)
    reply = await finish(asking, await visit(await begin(asking, id)))
    assert (reply.body["fault"], reply.body["state"], provider.renewed > 0) == (None, "unseen", True)
    assert (await check(asking, id))["state"] == "unseen"
    provider.withdraw()
    await asking.app.mcp.disconnect(LOCAL_PRINCIPAL, id)
    lost = await check(asking, id)
    assert (lost["state"], lost["wants_sign_in"]) == ("down", True)
    assert lost["fault"].startswith("The MCP server 'notes' wants you to sign in")
    assert (await finish(asking, await visit(await begin(asking, id)))).body["wants_sign_in"] is False


async def test_a_refusal_and_strange_answers_are_said(asking: Server, notes: str) -> None:
    id = await add(asking, notes)
    answer = await visit(await begin(asking, id))
    refused = await finish(asking, {"state": answer["state"], "error": "access_denied"})
    assert (refused.status, "access_denied" in refused.error["message"]) == (502, True)
    answer = await visit(await begin(asking, id))
    wrong = await finish(asking, {**answer, "code": "made-up"})
    assert wrong.status == 502
    assert not (await asking.get(f"/api/mcp-servers/{id}")).body["signed_in"]
    mixed = await finish(asking, {**await visit(await begin(asking, id)), "iss": "https://evil.example"})
    assert mixed.status == 502
    for _ in range(MAX_PENDING):
        await begin(asking, id)
    assert (await asking.post(f"/api/mcp-servers/{id}/sign-in", {})).status == 429


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


async def signed_in(server: Server, url: str, headers: Headers | None = None) -> str:
    """Add a server, sign in there, and allow its tools."""
    id = await add(server, url, headers)
    reply = await finish(server, await visit(await begin(server, id, headers)), headers)
    assert reply.body["signed_in"], reply
    allowed = {"fingerprint": reply.body["seen"]["fingerprint"]}
    assert (await server.post(f"/api/mcp-servers/{id}/approve", allowed, headers=headers)).status == 200
    return id


async def read_note(server: Server, id: str) -> str:
    mcp = server.app.mcp
    result, _ = await mcp.call(LOCAL_PRINCIPAL, await mcp.find(LOCAL_PRINCIPAL, id), "read_note", {})
    return result.text


async def test_a_sign_in_is_of_one_person_alone(settings: Settings, notes: str, provider: Authorizing) -> None:
    async with serving(replace(settings, accounts="on")) as house:
        admin = await set_up(house)
        _, ben = await member(house, admin)
        id = await add(house, notes, admin)
        answer = await visit(await begin(house, id, admin))
        assert (await finish(house, answer, ben)).status == 404, "Ben did not begin it"
        assert (await finish(house, answer, admin)).body["signed_in"]
        hers = set(provider.tokens_at("/mcp"))
        shown = (await house.get(f"/api/mcp-servers/{id}", ben)).body
        assert (shown["signed_in"], shown["wants_sign_in"]) == (False, True), "others sign in there"
        provider.requests.clear()
        checked = (await house.post(f"/api/mcp-servers/{id}/check", {}, headers=ben)).body
        assert (checked["state"], checked["wants_sign_in"], provider.tokens_at("/mcp")) == ("down", True, [])
        assert (await house.call("DELETE", f"/api/mcp-servers/{id}/sign-in", headers=ben)).status == 404
        assert (await finish(house, await visit(await begin(house, id, ben)), ben)).body["signed_in"]
        his = set(provider.tokens_at("/mcp"))
        assert (len(hers), len(his), hers & his) == (1, 1, set())
        assert (await house.call("DELETE", f"/api/mcp-servers/{id}/sign-in", headers=ben)).status == 200
        provider.requests.clear()
        assert (await house.post(f"/api/mcp-servers/{id}/check", {}, headers=admin)).body["state"] == "unseen"
        assert set(provider.tokens_at("/mcp")) <= hers
        acts = await house.app.storage.audit.list_acts(ActFilter(action="mcp_server"), 3)
        assert [(act.action, act.object) for act in acts] == [
            ("mcp_server.signed_out", "notes"),
            ("mcp_server.signed_in", "notes"),
            ("mcp_server.signed_in", "notes"),
        ]
        assert all(map(is_own_matter, acts)), "the works council is shown nobody's name"


async def test_a_fixed_token_stands_in_for_a_sign_in(settings: Settings, notes: str) -> None:
    async with serving(replace(settings, accounts="on")) as house:
        admin = await set_up(house)
        _, ben = await member(house, admin)
        body = {"name": "notes", "url": notes, "headers": {"Authorization": "Bearer fixed"}}
        id = str((await house.post("/api/mcp-servers", body, headers=admin)).body["id"])
        assert (await finish(house, await visit(await begin(house, id, admin)), admin)).body["signed_in"]
        shown = (await house.get(f"/api/mcp-servers/{id}", ben)).body
        assert (shown["signed_in"], shown["wants_sign_in"]) == (False, False)


async def test_tokens_that_run_out_are_renewed_once_for_all_calls(
    asking: Server, notes: str, provider: Authorizing
) -> None:
    id = await signed_in(asking, notes)
    provider.expire()
    assert await asyncio.gather(*(read_note(asking, id) for _ in range(3))) == ["the note"] * 3
    assert provider.renewed == 1


async def test_tokens_that_another_process_renewed_are_used(asking: Server, notes: str, provider: Authorizing) -> None:
    id = await signed_in(asking, notes)
    provider.expire()
    async with beside(asking) as (_, other):
        assert (await other.check(LOCAL_PRINCIPAL, id)).fault is None
    assert await read_note(asking, id) == "the note"
    assert provider.renewed == 1


@asynccontextmanager
async def beside(server: Server) -> AsyncGenerator[tuple[Storage, McpService]]:
    """Open storage and MCP servers as another process of the installation does."""
    settings = server.app.settings
    storage = await asyncio.to_thread(open_storage, settings)
    vault = Vault.configured(settings)
    keeper = SignInKeeper(storage.mcp_sign_ins, storage.jobs, storage.processes, vault)
    service = McpService(LiveSettings(settings), storage.mcp_servers, vault, keeper, OutboundGate())
    try:
        yield storage, service
    finally:
        await service.close()
        await storage.close()


@asynccontextmanager
async def renewing(server: Server, id: str, provider: Authorizing) -> AsyncGenerator[asyncio.Task[str]]:
    """Let the tokens run out, and read a note until their refresh token is taken; the new ones come after the block."""
    provider.expire()
    provider.may_give.clear()
    reading = asyncio.create_task(read_note(server, id))
    try:
        await asyncio.wait_for(provider.taken.wait(), 30)
        yield reading
    finally:
        provider.may_give.set()
        await asyncio.wait([reading])


async def test_a_renewal_goes_on_where_its_call_is_cancelled(asking: Server, notes: str, provider: Authorizing) -> None:
    id = await signed_in(asking, notes)
    async with renewing(asking, id, provider) as reading:
        reading.cancel()
        await asyncio.wait([reading])
        await asking.app.mcp.disconnect(LOCAL_PRINCIPAL, id)
    assert reading.cancelled()
    assert await read_note(asking, id) == "the note"
    assert provider.renewed == 1
    assert (await asking.get(f"/api/mcp-servers/{id}")).body["signed_in"]


async def test_a_call_that_comes_during_a_renewal_leaves_the_connection_open(
    asking: Server, notes: str, provider: Authorizing
) -> None:
    id = await signed_in(asking, notes)
    async with renewing(asking, id, provider) as reading:
        provider.requests.clear()
        second = asyncio.create_task(read_note(asking, id))
        await until(lambda: bool(provider.tokens_at("/mcp")))
    assert (await reading, await second, provider.renewed) == ("the note", "the note", 1)


async def test_processes_that_renew_at_once_share_one_renewal(
    asking: Server, notes: str, provider: Authorizing, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = await signed_in(asking, notes)
    async with beside(asking) as (storage, other):
        hold = Mock(wraps=storage.jobs.hold)
        monkeypatch.setattr(storage.jobs, "hold", hold)
        async with renewing(asking, id, provider) as reading:
            checking = asyncio.create_task(other.check(LOCAL_PRINCIPAL, id))
            await until(lambda: hold.call_count > 1)
        assert (await reading, (await checking).fault, provider.renewed) == ("the note", None, 1)
    assert (await asking.get(f"/api/mcp-servers/{id}")).body["signed_in"]


async def test_a_process_that_died_in_a_renewal_holds_up_nobody(
    asking: Server, notes: str, provider: Authorizing, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in ("documents.ingest", "chat.batches"):  # they look after the dead now and then
        monkeypatch.setattr(f"eclair.{other}.free_dead_claims", AsyncMock())
    id = await signed_in(asking, notes)
    provider.expire()
    async with beside(asking) as (storage, _):
        monkeypatch.setattr(storage.jobs, "finish", AsyncMock())  # the dead give nothing back
        async with storage.jobs.hold("sign-in", f"{LOCAL_PRINCIPAL.id} {id}") as is_held:
            assert is_held
        process = storage.processes.current
    assert process in await asking.app.storage.jobs.list_processes()
    assert await read_note(asking, id) == "the note"
    assert provider.renewed == 1


async def test_a_sign_in_outlives_a_token_endpoint_that_is_down(
    asking: Server, notes: str, provider: Authorizing
) -> None:
    id = await signed_in(asking, notes)
    provider.expire()
    provider.down.add("/token")
    with pytest.raises(EngineUnavailable, match=r"'notes' can't be used: its sign-in can't be renewed: status 503\.$"):
        await read_note(asking, id)
    shown = (await asking.get(f"/api/mcp-servers/{id}")).body
    assert (shown["signed_in"], shown["wants_sign_in"]) == (True, False)
    provider.down.clear()
    assert (await check(asking, id))["fault"] is None
    assert await read_note(asking, id) == "the note"


async def test_a_server_that_withdraws_a_sign_in_ends_it(asking: Server, notes: str, provider: Authorizing) -> None:
    id = await signed_in(asking, notes)
    provider.withdraw()
    with pytest.raises(EngineUnavailable, match="wants you to sign in"):
        await read_note(asking, id)
    shown = (await asking.get(f"/api/mcp-servers/{id}")).body
    assert (shown["signed_in"], shown["wants_sign_in"]) == (False, True)
    last = (await asking.app.storage.audit.list_acts(ActFilter(), 1))[0]
    assert (last.action, dict(last.details)) == ("mcp_server.signed_out", {"withdrawn": True})


async def test_a_server_may_ask_for_a_sign_in_that_allows_more(
    asking: Server, notes: str, provider: Authorizing
) -> None:
    id = await signed_in(asking, notes)
    provider.wanted_scope = "notes:read"
    with pytest.raises(EngineUnavailable, match="wants you to sign in"):
        await read_note(asking, id)
    shown = (await asking.get(f"/api/mcp-servers/{id}")).body
    assert (shown["signed_in"], shown["wants_sign_in"]) == (True, True)
    url = await begin(asking, id)
    assert query_of(url)["scope"] == "notes:read"
    assert (await finish(asking, await visit(url))).body["wants_sign_in"] is False
    assert await read_note(asking, id) == "the note"


async def test_headers_of_a_server_go_to_it_alone(asking: Server, notes: str, provider: Authorizing) -> None:
    headers = {"X-Team": "blue", "Authorization": "Bearer fixed"}
    made = await asking.post("/api/mcp-servers", {"name": "notes", "url": notes, "headers": headers})
    id = str(made.body["id"])
    wrong = await check(asking, id)
    assert (wrong["wants_sign_in"], "status 401" in wrong["fault"]) == (False, True), "its fixed token is wrong"
    assert (await finish(asking, await visit(await begin(asking, id)))).body["signed_in"]
    sent = {path for path, headers in provider.requests if headers.get("x-team") is not None}
    assert (sent, {"/token", "/register"} <= {path for path, _ in provider.requests}) == ({"/mcp"}, True)
    assert "fixed" not in provider.tokens_at("/token")


RESOURCE = "/.well-known/oauth-protected-resource/mcp"
ISSUER = "/.well-known/oauth-authorization-server"
LIES: list[tuple[str, Lie, int, str]] = [
    (RESOURCE, {"resource": "https://other.example/mcp"}, 502, "does not match"),
    (RESOURCE, {"authorization_servers": ["http://login.example.org"]}, 403, "isn't encrypted"),
    (RESOURCE, {"authorization_servers": ["https://10.0.0.7"]}, 403, "10.0.0.7"),
    (RESOURCE, {"authorization_servers": ["https://login.example.org"]}, 403, "offline"),
    (ISSUER, {"issuer": "https://evil.example"}, 502, "issuer mismatch"),
    (ISSUER, {"code_challenge_methods_supported": None}, 502, "PKCE"),
    (ISSUER, {"authorization_endpoint": "http://login.example.org/authorize"}, 403, "isn't encrypted"),
    (ISSUER, {"token_endpoint": "http://login.example.org/token"}, 403, "isn't encrypted"),
    (ISSUER, {"registration_endpoint": "https://login.example.org/register"}, 403, "offline"),
]


@pytest.mark.parametrize(("path", "lie", "status", "said"), LIES)
async def test_a_server_that_lies_gets_no_sign_in(
    *, asking: Server, notes: str, provider: Authorizing, path: str, lie: Lie, status: int, said: str
) -> None:
    provider.lies[path] = lie
    id = await add(asking, notes)
    reply = await asking.post(f"/api/mcp-servers/{id}/sign-in", {})
    assert (reply.status, said in reply.error["message"]) == (status, True), reply
    if status == 403:
        calls = (await asking.get("/api/egress?limit=5")).body["calls"]
        assert [(call["purpose"], call["verdict"]) for call in calls[:1]] == [("mcp", "refused")]
    assert not (await asking.get(f"/api/mcp-servers/{id}")).body["signed_in"]


async def test_with_a_public_address_eclair_is_known_by_its_document(
    settings: Settings, notes: str, provider: Authorizing
) -> None:
    provider.lies[ISSUER] = {"client_id_metadata_document_supported": True}
    public = "https://93.184.215.14/eclair"
    async with serving(replace(settings, public_url=public, api_key=KEY)) as server:
        document = (await server.get("/.well-known/eclair-mcp-client.json")).body
        assert document["redirect_uris"] == [f"{public}/settings/mcp"]
        assert (document["application_type"], document["token_endpoint_auth_method"]) == ("web", "none")
        provider.clients[document["client_id"]] = OAuthClientInformationFull.model_validate(document)
        id = await add(server, notes, OWNER)
        url = await begin(server, id, OWNER)
        assert query_of(url)["client_id"] == f"{public}/.well-known/eclair-mcp-client.json"
        assert (await finish(server, await visit(url), OWNER)).body["signed_in"]
        assert "/register" not in {path for path, _ in provider.requests}


async def test_a_code_never_comes_back_unencrypted(settings: Settings, notes: str) -> None:
    async with serving(replace(settings, public_url="http://ai.example.org", api_key=KEY)) as server:
        id = await add(server, notes, OWNER)
        reply = await server.post(f"/api/mcp-servers/{id}/sign-in", {}, headers=OWNER)
        assert (reply.status, "public_url" in reply.error["message"]) == (409, True)


async def test_nobody_signs_in_where_nothing_wants_it(asking: Server) -> None:
    id = await add(asking, f"{asking.address}/mcp")
    reply = await asking.post(f"/api/mcp-servers/{id}/sign-in", {})
    assert (reply.status, "wants no sign-in" in reply.error["message"]) == (409, True), reply
