"""Destinations of the audit log through the API: added, tested, changed and removed while Éclair runs."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from eclair.settings import Settings
from tests.llm.standin import Call, standing_in
from tests.server.test_accounts import member, set_up
from tests.server.test_tls import make_files
from tests.support import Server, serving


@asynccontextmanager
async def syslog_server(context: ssl.SSLContext | None) -> AsyncGenerator[tuple[int, asyncio.Queue[bytes]]]:
    """A syslog server that takes messages framed by octet counting; by TLS with a context."""
    got = asyncio.Queue[bytes]()

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                got.put_nowait(await reader.readexactly(int(await reader.readuntil(b" "))))
        writer.close()

    server = await asyncio.start_server(receive, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1], got


async def add(server: Server, kind: str, target: str, **more: str) -> str:
    """Add a destination, and return its id."""
    reply = await server.post("/api/audit/destinations", {"kind": kind, "target": target, **more})
    assert reply.status == 201, reply
    return str(next(each["id"] for each in reply.body["destinations"] if each["target"] == target))


async def test_a_webhook_is_tested_added_changed_and_removed(settings: Settings) -> None:
    async with serving(settings) as server, standing_in() as stand:
        bodies = asyncio.Queue[Call]()

        async def take(call: Call) -> None:
            bodies.put_nowait(call)
            await call.reply(200)

        stand.routes = {"/old": take, "/new": take}
        body = {"kind": "webhook", "target": f"{stand.url}/old", "key": "secret"}
        assert (await server.post("/api/audit/destinations/test", body)).status == 204
        tested = await bodies.get()
        assert (tested.json["type"], tested.headers["authorization"]) == ("eclair.audit.test", "Bearer secret")
        assert (await server.get("/api/audit/destinations")).body == {"destinations": []}, "a test keeps nothing"

        id = await add(server, "webhook", f"{stand.url}/old", key="secret")
        await server.app.audit.deliver()
        first = await bodies.get()
        assert orjson.loads(first.body.splitlines()[0])["metadata"]["event_code"] == "audit.delivery_changed"
        (shown,) = (await server.get("/api/audit/destinations")).body["destinations"]
        assert (shown["has_key"], shown["delivered"], shown["fault"]) == (True, 1, None)
        assert "secret" not in str(shown)
        assert (await server.post(f"/api/audit/destinations/{id}/test", {})).status == 204
        assert (await bodies.get()).headers["authorization"] == "Bearer secret"

        change = {"target": f"{stand.url}/new", "key": ""}
        assert (await server.call("PATCH", f"/api/audit/destinations/{id}", change)).status == 200
        await server.app.audit.deliver()
        moved = await bodies.get()
        assert (moved.path, "authorization" in moved.headers) == ("/new", False)
        assert len(moved.body.splitlines()) == 2, "another address gets the whole log"
        assert (await server.call("DELETE", f"/api/audit/destinations/{id}")).status == 204
        assert (await server.call("DELETE", f"/api/audit/destinations/{id}")).status == 404
        await server.app.audit.deliver()
        assert bodies.empty()
        acts = (await server.get("/api/audit?action=audit.delivery_changed")).body["acts"]
        assert len(acts) == 3


async def test_syslog_by_tls_needs_a_certificate_that_is_trusted(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_files(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made.certificate, made.key)
    async with serving(settings) as server, syslog_server(context) as (port, got):
        target = f"tls://127.0.0.1:{port}"
        refused = await server.post("/api/audit/destinations/test", {"kind": "syslog", "target": target})
        assert (refused.status, "certificate" in refused.body["error"]["message"]) == (502, True)
        monkeypatch.setenv("SSL_CERT_FILE", str(made.certificate))
        assert (await server.post("/api/audit/destinations/test", {"kind": "syslog", "target": target})).status == 204
        assert b' test - {"type":"eclair.audit.test"' in await got.get()
        await add(server, "syslog", target)
        await server.app.audit.deliver()
        assert b" audit.delivery_changed - {" in await got.get()


async def test_a_file_is_one_of_the_data_folder(settings: Settings) -> None:
    async with serving(settings) as server:
        for name in ("../escape", "/etc/cron.d/x", "a/b", ".hidden", "", "x" * 200):
            reply = await server.post("/api/audit/destinations", {"kind": "file", "target": name})
            assert reply.status == 400, name
        await add(server, "file", "audit.jsonl")
        await server.app.audit.deliver()
        path = settings.data_dir / "audit" / "audit.jsonl"
        assert orjson.loads(path.read_bytes().splitlines()[0])["metadata"]["event_code"] == "audit.delivery_changed"
        assert path.stat().st_mode & 0o077 == 0
    async with serving(settings) as server:
        (kept,) = (await server.get("/api/audit/destinations")).body["destinations"]
        assert (kept["kind"], kept["target"]) == ("file", "audit.jsonl"), "it is there after a restart"


@pytest.mark.parametrize(
    ("kind", "target", "key"),
    [
        ("syslog", "http://log.example.org", ""),
        ("syslog", "tls://", ""),
        ("syslog", "tls://log.example.org/path", ""),
        ("webhook", "ftp://siem.example.org", ""),
        ("webhook", "https://user:word@siem.example.org", ""),
        ("webhook", "https://siem.example.org", "two words"),
        ("syslog", "udp://127.0.0.1:514", "key"),
    ],
)
async def test_what_is_no_destination_is_refused_in_a_sentence(
    settings: Settings, kind: str, target: str, key: str
) -> None:
    async with serving(settings) as server:
        for path in ("/api/audit/destinations", "/api/audit/destinations/test"):
            reply = await server.post(path, {"kind": kind, "target": target, "key": key})
            assert (reply.status, reply.body["error"]["message"][-1]) == (400, ".")


async def test_the_settings_file_has_its_own_and_auditors_only_look(settings: Settings, tmp_path: Path) -> None:
    fixed = replace(settings, accounts="on", audit_file=tmp_path / "elsewhere.jsonl", audit_syslog="udp://127.0.0.1:9")
    async with serving(fixed) as server:
        admin = await set_up(server)
        _, auditor = await member(server, admin, "otto", "auditor")
        listed = (await server.get("/api/audit/destinations", headers=auditor)).body["destinations"]
        assert [(each["id"], each["kind"]) for each in listed] == [(None, "file"), (None, "syslog")]
        body = {"kind": "syslog", "target": "udp://127.0.0.1:9"}
        assert (await server.post("/api/audit/destinations", body, headers=auditor)).status == 403
        assert (await server.post("/api/audit/destinations/test", body, headers=auditor)).status == 403
        assert (await server.post("/api/audit/destinations", body, headers=admin)).status == 409
    async with serving(replace(settings, engines_from="file")) as server:
        assert (await server.post("/api/audit/destinations", body)).status == 403
