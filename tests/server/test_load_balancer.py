"""Two servers on one PostgreSQL database, each with a data folder of its own, as containers have them: a load balancer
that knows nothing sends every request to the other one."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from http.cookies import SimpleCookie
from itertools import cycle
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from eclair.identity_settings import SamlSettings
from eclair.server.session_secret import SessionSecret
from eclair.settings import Settings
from eclair.storage.backup.backup import back_up, restore
from eclair.storage.backup.repository import BackupRepository
from eclair.storage.postgres.processes import PostgresProcessStore
from eclair.storage.secrets import create_secret
from eclair.storage.signing_key import SIGNING_KEY_FILE, SigningKey
from tests.chat.test_calls import call, decide, effects, until_waiting
from tests.identity.openid import openid_provider
from tests.identity.saml_idp import SamlIdp, encode, new_certificate, read_request
from tests.postgres import TestDatabases, databases
from tests.server.test_deletion import listening
from tests.server.test_documents import add, ready
from tests.server.test_passkeys import Device
from tests.server.test_receipts import issue, published
from tests.server.test_second_steps import JSON_BODY, code_of, missing, send, turn_on_there
from tests.server.test_sign_in import FROM_ELSEWHERE, PASSWORD, SESSION, Browser, openid, refusal, sign_in
from tests.server.test_transfer import carry_out, many, upload
from tests.server.test_whole_documents import log_book, noting
from tests.support import Door, Process, Reply, an_hour_ago, serving

__all__ = ["databases"]

HOST = "ai.example.org"
ORIGIN = f"https://{HOST}"


class Balancer(Door):
    """A door whose requests go to one server after the other."""

    def __init__(self, servers: Sequence[Door], http: aiohttp.ClientSession) -> None:
        super().__init__("", http)
        self.servers = servers
        self._next = cycle(servers)

    def __getattribute__(self, name: str) -> Any:
        return next(self._next).address if name == "address" else super().__getattribute__(name)


class Visitor(Browser):
    """A browser to which the port of both servers is one, as that of containers is: cookies are named by it."""

    def __init__(self, balancer: Balancer) -> None:
        super().__init__(balancer)
        self._ports = [each.address.rpartition(":")[2] for each in balancer.servers]

    def keep(self, reply: Reply) -> None:
        super().keep(reply)
        headers: Any = reply.headers
        for name in (name for line in headers.getall("Set-Cookie", []) for name in SimpleCookie(line)):
            for other in (f"{name.rpartition('-')[0]}-{port}" for port in self._ports):
                if name in self.cookies:
                    self.cookies[other] = self.cookies[name]
                else:
                    self.cookies.pop(other, None)


@pytest.fixture
def shared(databases: TestDatabases, settings: Settings, tmp_path: Path) -> Iterator[Settings]:
    """The settings that all servers have in common."""
    key = tmp_path / "shared.key"
    key.write_bytes(create_secret())
    with databases.lend() as url:
        yield replace(
            settings,
            database_url=url,
            secret_key_file=key,
            public_url=ORIGIN,
            trusted_proxies=("127.0.0.1",),
        )


@asynccontextmanager
async def balanced(shared: Settings, tmp_path: Path, **more: Any) -> AsyncGenerator[Balancer]:
    async with AsyncExitStack() as stack:
        settings = [replace(shared, data_dir=tmp_path / f"own-{number}", **more) for number in (1, 2)]
        servers = [await stack.enter_async_context(serving(each)) for each in settings]
        headers = {"Host": HOST, "X-Forwarded-For": "203.0.113.7"}
        http = await stack.enter_async_context(aiohttp.ClientSession(headers=headers))
        balancer = Balancer(servers, http)
        if more.get("accounts") == "on":
            code = (await servers[0].app.accounts.codes.make_setup_code()).code
            body = {"code": code, "name": "root", "display_name": "Root", "password": PASSWORD}
            assert (await balancer.post("/api/session/setup", body)).status == 204
        yield balancer


async def test_a_provider_leads_back_to_another_server(shared: Settings, tmp_path: Path) -> None:
    async with openid_provider() as provider:
        house = {"house": openid(provider)}
        async with balanced(shared, tmp_path, accounts="on", identity=house) as balancer:
            for _ in range(2):  # each of them begins once
                browser = Visitor(balancer)
                reply = await sign_in(browser, provider, "/c/some")
                assert reply.headers["Location"] == "/c/some"
                assert await browser.who() == "ada"


async def test_a_reply_of_saml_is_redeemed_at_another_server(
    shared: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PostgresProcessStore, "clock", an_hour_ago)
    idp = SamlIdp(*new_certificate(), begins=timedelta(minutes=-61), ends=timedelta(minutes=-55))
    file = tmp_path / "idp.xml"
    file.write_text(idp.metadata())
    firm = {"firm": SamlSettings(kind="saml", metadata_file=file)}
    async with balanced(shared, tmp_path, accounts="on", identity=firm, saml=True) as balancer:
        browser = Visitor(balancer)
        idp.audience = f"{ORIGIN}/api/sign-in/firm/metadata"
        idp.recipient = idp.destination = f"{ORIGIN}/api/sign-in/firm/callback"
        begun = await browser.go("/api/sign-in/firm?return_to=/c/1")
        idp.request = read_request(begun.headers["Location"]).get("ID")
        kept, browser.cookies = browser.cookies, {}  # a form of another site's page comes without them
        form = {"SAMLResponse": encode(idp.signed_response())}
        headers = FROM_ELSEWHERE | {"Origin": "https://idp.example"}
        posted = await browser.go("/api/sign-in/firm/callback", "POST", form, headers)
        for _ in balancer.servers:
            again = await browser.go("/api/sign-in/firm/callback", "POST", form, headers)
            assert refusal(again) == "identity_unverified", "no server takes it a second time"
        browser.cookies = dict(kept)
        done = await browser.follow(posted, more=FROM_ELSEWHERE)
        assert done.headers["Location"] == "/c/1"
        assert await browser.who() == "person-1"
        browser.cookies = dict(kept)
        assert refusal(await browser.follow(posted, more=FROM_ELSEWHERE)) == "sign_in_expired", "it counts once"


async def test_a_second_step_is_taken_at_another_server(shared: Settings, tmp_path: Path) -> None:
    async with openid_provider() as provider:
        house = {"house": openid(provider)}
        async with balanced(shared, tmp_path, accounts="on", identity=house) as balancer:
            browser = Visitor(balancer)
            await sign_in(browser, provider)
            secret = await turn_on_there(browser)
            again = Visitor(balancer)
            await sign_in(again, provider)
            assert await missing(again) == await missing(again) == "code"
            done = await send(again, "POST", "/api/session/second-step", {"code": code_of(secret, 1)})
            assert done.status == 204, done
            assert await again.who() == "ada"


async def test_a_passkey_is_made_and_used_across_servers(shared: Settings, tmp_path: Path) -> None:
    async with balanced(shared, tmp_path, accounts="on") as balancer:
        browser, device = Visitor(balancer), Device(ORIGIN, HOST)
        assert (await send(browser, "POST", "/api/session", {"name": "root", "password": PASSWORD})).status == 204
        made = await asked(browser, "/api/me/passkeys/options", {"password": PASSWORD})
        added = await post(browser, "/api/me/passkeys", {"name": "Phone", "credential": device.make(made)})
        assert added.status == 201, added
        stranger = Visitor(balancer)
        credential = device.sign(await asked(stranger, "/api/session/passkey/options", {}))
        assert (await post(stranger, "/api/session/passkey", {"credential": credential})).status == 204
        assert await stranger.who() == "root"
        for _ in balancer.servers:
            replayed = await post(Visitor(balancer), "/api/session/passkey", {"credential": credential})
            assert (replayed.status, replayed.error["code"]) == (400, "sign_in_expired"), "a challenge counts once"


async def post(browser: Browser, path: str, body: dict[str, Any]) -> Reply:
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}
    reply = await browser.door.call("POST", path, body, headers=headers | SESSION | JSON_BODY)
    browser.keep(reply)
    return reply


async def asked(browser: Browser, path: str, body: dict[str, Any]) -> dict[str, Any]:
    reply = await post(browser, path, body)
    assert reply.status == 200, reply
    options: dict[str, Any] = reply.body["options"]
    return options


async def test_a_program_gets_its_key_from_another_server(shared: Settings, tmp_path: Path) -> None:
    async with balanced(shared, tmp_path, accounts="on") as balancer:
        browser = Visitor(balancer)
        await send(browser, "POST", "/api/session", {"name": "root", "password": PASSWORD})
        grant = "grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code="
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        begun = (await balancer.call("POST", "/api/device/code", data=b"client_id=tool&scope=all", headers=form)).body
        poll = (grant + begun["device_code"]).encode()
        pending = await balancer.call("POST", "/api/device/token", data=poll, headers=form)
        assert pending.body["error"] == "authorization_pending"
        for _ in balancer.servers:
            found = await post(browser, "/api/device/lookup", {"user_code": begun["user_code"]})
            assert found.body["program"] == "tool"
        decision = {"user_code": begun["user_code"], "approve": True}
        assert (await post(browser, "/api/device/decision", decision)).status == 204
        assert (await post(browser, "/api/device/decision", decision)).status == 404, "it is decided"
        token = (await balancer.call("POST", "/api/device/token", data=poll, headers=form)).body
        me = await balancer.get("/api/me", {"Authorization": f"Bearer {token['access_token']}"})
        assert me.body["name"] == "root"
        for _ in balancer.servers:
            spent = await balancer.call("POST", "/api/device/token", data=poll, headers=form)
            assert spent.body["error"] == "invalid_grant"


async def test_a_browser_that_has_shown_a_key_is_let_in_everywhere(shared: Settings, tmp_path: Path) -> None:
    async with balanced(shared, tmp_path, api_key="s3cret-of-the-house") as balancer:
        browser = Visitor(balancer)
        begun = await browser.go("/api/session", "POST", more={"Authorization": "Bearer s3cret-of-the-house"})
        assert begun.status == 204, begun
        for _ in balancer.servers:
            assert (await browser.go("/api/conversations", more=SESSION)).status == 200
        assert (await Visitor(balancer).go("/api/conversations", more=SESSION)).status == 401


@asynccontextmanager
async def processes(shared: Settings, tmp_path: Path, http: aiohttp.ClientSession) -> AsyncGenerator[list[Process]]:
    """Two servers in processes of their own, with the data folders `own-1` and `own-2`."""
    async with AsyncExitStack() as stack:
        found: list[Process] = []
        for number in (1, 2):
            folder = tmp_path / f"own-{number}"
            folder.mkdir(0o700, exist_ok=True)
            places = {"DATABASE_URL": str(shared.database_url), "SECRET_KEY_FILE": str(shared.secret_key_file)}
            found.append(await Process.start(folder, http, **{f"ECLAIR_{name}": at for name, at in places.items()}))
            stack.push_async_callback(found[-1].close)
        yield found


async def test_python_goes_on_with_the_variables_of_another_server(
    shared: Settings, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    async with processes(shared, tmp_path, http) as servers:
        balancer = Balancer(servers, http)
        path = f"/api/conversations/{await balancer.begin()}/python"

        async def run(code: str) -> str:
            reply = (await balancer.post(path, {"code": code})).body
            assert (reply["error"], reply["lost"]) == (None, False), reply
            return str(reply["output"])

        await run("x = 1")
        await run("x += 1; y = 'of the second'")
        assert await run("print(x, y)") == "2 of the second\n"
        at_once = [f"x += 1; total = sum(range(100_000)); print({number})" for number in range(6)]
        assert sorted(await asyncio.gather(*map(run, at_once))) == [f"{number}\n" for number in range(6)]
        assert await run("x") == "8\n"


async def test_all_servers_sign_and_mark_with_the_same_keys(
    shared: Settings,
    tmp_path: Path,
    http: aiohttp.ClientSession,
    databases: TestDatabases,
    caplog: pytest.LogCaptureFixture,
) -> None:
    folders = [tmp_path / "own-1", tmp_path / "own-2"]
    held = [create_secret(), create_secret()]
    for folder, key in zip(folders, held, strict=True):
        folder.mkdir(0o700)
        (folder / SIGNING_KEY_FILE).write_bytes(key)
    async with processes(shared, tmp_path, http) as (first, second):
        key = await published(first)
        assert await published(second) == key == SigningKey(folders[0] / SIGNING_KEY_FILE).public()
        id = await first.begin()
        receipt = await issue(first, id, (await first.say(id, "script: say=because"))["id"])
        for each in (first, second):
            checked = await each.post("/api/marks/check?name=receipt.json", data=receipt.raw)
            assert (checked.body["receipt"]["state"], checked.body["receipt"]["own"]) == ("valid", True)
    marks = [{file.name: file.read_bytes() for file in (folder / "marks").iterdir()} for folder in folders]
    assert marks[0] == marks[1]
    assert marks[0].keys() == {"authority.pem", "signing.pem", "text-watermark.keys"}
    assert [file.read_bytes() for file in folders[1].glob("signing.key.*")] == [held[1]], "it is kept"
    house = replace(shared, public_url=None, trusted_proxies=())
    repository = BackupRepository.create_or_open(tmp_path / "backup", None)
    done = await asyncio.to_thread(back_up, replace(house, data_dir=tmp_path / "fresh"), repository)
    back = replace(house, data_dir=tmp_path / "back", database_url=databases.create_empty())
    await asyncio.to_thread(restore, repository, done.snapshot, back)
    async with serving(back) as server:
        assert await published(server) == key
    assert {file.name: file.read_bytes() for file in (back.data_dir / "marks").iterdir()} == marks[0]
    stranger = replace(back, data_dir=tmp_path / "stranger", secret_key_file=folders[0] / SIGNING_KEY_FILE)
    async with serving(stranger) as server:
        assert await published(server) != key
    assert "signs and marks with keys of its own" in caplog.text


async def test_what_one_asks_is_decided_and_heard_of_at_another(
    shared: Settings, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    async with processes(shared, tmp_path, http) as (first, second):
        async with listening(second) as news:
            id = await first.begin()
            while (await news.next(within=30))["conversation"] != id:
                pass
        for decision, done in (("once", ["made"]), ("declined", ["made"])):
            begun = await first.ask(id, f"script: {call('write', 'made')}")
            waiting = await until_waiting(first, begun["run"])
            assert await decide(second, begun["run"], waiting["calls"][0]["call"], decision) == 202
            assert (await first.answered(begun["run"]))["status"] == "finished"
            assert [line for number in (1, 2) for line in effects(tmp_path / f"own-{number}")] == done


async def test_an_answer_is_had_at_once_from_another_server(shared: Settings, tmp_path: Path) -> None:
    house = replace(shared, public_url=None, trusted_proxies=())
    elsewhere = replace(house, data_dir=tmp_path / "other", embedder="off")
    async with serving(elsewhere) as other, noting(house, 2048) as (server, model):
        model.held_from, model.full = 9, asyncio.Event()
        file = await ready(server, await add(server, log_book(30), "log.md"))
        begun = await server.ask(await server.begin(), "List all obligations", files=[file["id"]])
        async with asyncio.timeout(60):
            await model.held.wait()
        assert (await other.post(f"/api/runs/{begun['run']}/answer-now")).status == 202
        message = await server.answered(begun["run"])
        assert (message["status"], message["remarks"][0]["code"]) == ("finished", "partly_read")
        model.release.set()


async def test_an_import_goes_on_at_another_server(
    shared: Settings, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    folders = [tmp_path / "own-1", tmp_path / "own-2"]
    for name in ("files", "pictures", "imports"):  # which are in one place, as in a bucket
        (tmp_path / "common" / name).mkdir(parents=True)
        for folder in folders:
            folder.mkdir(0o700, exist_ok=True)
            (folder / name).symlink_to(tmp_path / "common" / name)
    async with processes(shared, tmp_path, http) as (first, second):
        conversation = await first.begin(title="Hives")
        file = await ready(first, await add(first, "Bees dance.", "bees.txt"))
        begun = await first.ask(conversation, "script: say=Yes.", files=[file["id"]])
        await first.answered(begun["run"])
        archive = (await second.get("/api/export")).raw
        assert (await first.call("DELETE", f"/api/conversations/{conversation}?forever=true")).status == 204

        dropped = (await upload(first, archive, "all.zip")).body["id"]
        assert (await second.call("DELETE", f"/api/imports/{dropped}")).status == 204
        assert (await first.post(f"/api/imports/{dropped}")).status == 404

        id = (await upload(first, archive, "all.zip")).body["id"]
        finished = (await carry_out(second, id))[-1]["finished"]
        assert (finished["conversations"], finished["problems"]) == (1, [])
        (message, *_) = (await first.get(f"/api/conversations/{conversation}")).body["messages"]
        assert [each["name"] for each in message["files"]] == ["bees.txt"]
        assert (await first.post(f"/api/imports/{id}")).status == 404, "it is done"

        id = (await upload(first, many(300, "Because."))).body["id"]
        async with first.http.post(f"{first.address}/api/imports/{id}") as response:
            await response.content.readline()
            assert (await second.post(f"/api/imports/{id}")).status == 409
        again = await second.post(f"/api/imports/{id}")
        async with asyncio.timeout(60):
            while again.status == 409:
                again = await second.post(f"/api/imports/{id}")
        (*_, last) = (block for block in again.raw.decode().split("\n\n") if block.startswith("data:"))
        finished = orjson.loads(last.removeprefix("data: "))["finished"]
        assert finished["conversations"] + finished["skipped"] == 300
        assert finished["skipped"] > 0
        assert [path for path in (tmp_path / "common" / "imports").rglob("*") if path.is_file()] == []


def test_another_secret_signs_other_cookies(shared: Settings, tmp_path: Path) -> None:
    other = tmp_path / "other.key"
    other.write_bytes(base64.b64encode(b"another secret of the same length"))
    own = SessionSecret(shared).read()
    assert own == SessionSecret(replace(shared, data_dir=tmp_path / "elsewhere")).make()
    assert own != SessionSecret(replace(shared, secret_key_file=other)).read()
