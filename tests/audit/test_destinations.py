"""Acts and checkpoints leave for a file, a syslog server and a webhook, each once and in order."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from aiohttp import web

from eclair.audit.audit_service import AuditService
from eclair.audit.checkpoint_notes import read_notes
from eclair.live_settings import LiveSettings
from eclair.network.gate import OutboundGate
from eclair.network.policy import OutboundPolicy
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.settings import Settings
from eclair.storage.base import Storage
from eclair.storage.open import open_storage
from eclair.storage.signing_key import SigningKey

ADA = Principal("person_ada", key="key_a", address="192.0.2.7")


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncGenerator[Storage]:
    storage = open_storage(tmp_path / "data")
    yield storage
    await storage.close()


def service(settings: Settings, storage: Storage, mode: str = "open") -> AuditService:
    gate = OutboundGate(OutboundPolicy("offline" if mode == "offline" else "open"))
    return AuditService(LiveSettings(settings), storage.audit, SigningKey(settings.data_dir / "signing.key"), gate)


async def test_a_file_gets_acts_and_checkpoints_and_proves_the_log(tmp_path: Path, storage: Storage) -> None:
    path = tmp_path / "audit.jsonl"
    audit = service(Settings(data_dir=tmp_path / "data", audit_file=path), storage)
    await storage.audit.add_act(ADA, "engine.added", "rack")
    await audit.run_once()
    await storage.audit.add_act(ADA, "engine.removed", "rack")
    await audit.deliver()
    await audit.close()
    lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    codes = [line["metadata"]["event_code"] for line in lines if "metadata" in line]
    assert codes == ["engine.added", "audit.key_changed", "engine.removed"]
    outside = read_notes(path.read_text())
    assert [checkpoint.size for checkpoint in outside] == [2, 3]
    assert (await audit.verify(outside)).fault is None
    assert path.stat().st_mode & 0o077 == 0


async def test_a_syslog_server_gets_framed_messages(tmp_path: Path, storage: Storage) -> None:
    got = asyncio.Queue[bytes]()

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                got.put_nowait(await reader.readexactly(int(await reader.readuntil(b" "))))
        writer.close()

    server = await asyncio.start_server(receive, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    audit = service(Settings(data_dir=tmp_path / "data", audit_syslog=f"tcp://127.0.0.1:{port}"), storage)
    await storage.audit.add_act(ADA, "sign_in.failed", outcome="failure")
    await audit.run_once()
    failed, _, checkpoint = [await got.get() for _ in range(3)]
    assert failed.startswith(b"<108>1 20")
    assert b" eclair " in failed
    assert b" sign_in.failed - {" in failed
    assert len(read_notes(checkpoint.decode())) == 1
    server.close()


async def test_datagrams_reach_a_syslog_server(tmp_path: Path, storage: Storage) -> None:
    got = asyncio.Queue[bytes]()

    class Receiver(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: object) -> None:
            got.put_nowait(data)

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Receiver, ("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    audit = service(Settings(data_dir=tmp_path / "data", audit_syslog=f"udp://127.0.0.1:{port}"), storage)
    await storage.audit.add_act(ADA, "engine.added", "rack")
    await audit.deliver()
    assert (await got.get()).startswith(b"<110>1 ")
    transport.close()


async def test_a_webhook_that_fails_gets_everything_later(tmp_path: Path, storage: Storage) -> None:
    bodies = list[bytes]()
    status = 500

    async def take(request: web.Request) -> web.Response:
        if status == 200:
            bodies.append(await request.read())
            assert request.headers["Authorization"] == "Bearer secret"
        return web.Response(status=status)

    application = web.Application()
    application.router.add_post("/audit", take)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/audit"
    settings = Settings(data_dir=tmp_path / "data", audit_webhook=url, audit_webhook_key="secret")
    audit = service(settings, storage)
    await storage.audit.add_act(ADA, "engine.added", "rack")
    await audit.deliver()
    (state,) = await audit.list_deliveries()
    assert state.delivered == 0
    assert state.fault is not None
    assert "500" in state.fault
    status = 200
    await storage.audit.add_act(ADA, "engine.removed", "rack")
    await audit.deliver()
    (state,) = await audit.list_deliveries()
    assert (state.delivered, state.fault) == (2, None)
    assert [orjson.loads(line)["metadata"]["sequence"] for line in b"".join(bodies).splitlines()] == [1, 2]
    await audit.close()
    await runner.cleanup()


async def test_the_policy_holds_for_destinations_too(tmp_path: Path, storage: Storage) -> None:
    settings = Settings(data_dir=tmp_path / "data", audit_syslog="udp://192.0.2.1:514")
    audit = service(settings, storage, "offline")
    await storage.audit.add_act(ADA, "engine.added", "rack")
    await audit.deliver()
    (state,) = await audit.list_deliveries()
    assert state.fault is not None
    assert "offline" in state.fault


async def test_works_council_mode_names_nobody_for_what_is_their_own(tmp_path: Path, storage: Storage) -> None:
    path = tmp_path / "audit.jsonl"
    settings = Settings(data_dir=tmp_path / "data", audit_file=path, works_council=True)
    audit = service(settings, storage)
    await storage.audit.add_act(ADA, "session.started", "session_a")
    await storage.audit.add_act(LOCAL_PRINCIPAL, "person.locked", ADA.id)
    await audit.deliver()
    own, administration = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    assert "person_ada" not in str(own)
    assert administration["user"]["uid"] == ADA.id


async def test_old_acts_forget_who_acted_after_audit_days(tmp_path: Path, storage: Storage) -> None:
    settings = Settings(data_dir=tmp_path / "data", audit_days=1)
    await storage.audit.add_act(ADA, "engine.added", "rack")
    await service(settings, storage).run_once()
    (*_, act) = await storage.audit.list_acts_after(0, 1)
    assert act.actor == ADA.id
    later = replace(settings)
    audit = AuditService(
        LiveSettings(later),
        storage.audit,
        SigningKey(tmp_path / "signing.key"),
        OutboundGate(),
        lambda: act.moment / 1000 + 90_000,
    )
    await audit.run_once()
    (*_, act) = await storage.audit.list_acts_after(0, 1)
    assert act.actor is None
    assert (await audit.verify()).fault is None
