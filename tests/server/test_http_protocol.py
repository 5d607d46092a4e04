"""What a stranger can make a connection hold: headers and bodies that are too large or slow, and too many of them."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import time
from collections.abc import AsyncGenerator
from dataclasses import replace

import orjson
import pytest
import pytest_asyncio

from eclair.server import http_protocol, http_server
from eclair.server.http_protocol import BODY_CHECK_S, HEAD_TIMEOUT_S, MAX_HEAD_BYTES, MAX_HEADERS
from eclair.settings import Settings
from tests.support import Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

GET = b"GET /api/health HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /api/conversations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
SHORT_S = 0.2


class Wire:
    """A connection on which anything can be said."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, *pieces: bytes, pause_s: float = 0.0) -> None:
        with contextlib.suppress(ConnectionError):  # it may have been closed meanwhile
            for piece in pieces:
                self.writer.write(piece)
                await self.writer.drain()
                await asyncio.sleep(pause_s)

    async def exchange(self, *pieces: bytes, pause_s: float = 0.0) -> tuple[int, bytes]:
        """Send, and read at the same time: what is sent once the other end has closed makes the reply be lost."""
        _, reply = await asyncio.gather(self.send(*pieces, pause_s=pause_s), self.reply())
        return reply

    async def reply(self) -> tuple[int, bytes]:
        """Status and body of the next reply; status 0 if the connection ends without one."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0, b""
        lines = head.lower().split(b"\r\n")
        length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:"))
        return int(lines[0].split()[1]), await self.reader.readexactly(length)

    async def is_closed(self) -> bool:
        try:
            return await asyncio.wait_for(self.reader.read(1), 5) == b""
        except ConnectionError:
            return True


@contextlib.asynccontextmanager
async def connected(server: Server) -> AsyncGenerator[Wire]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.address.rpartition(":")[2]))
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@pytest_asyncio.fixture(loop_scope="module")
async def wire(server: Server) -> AsyncGenerator[Wire]:
    async with connected(server) as wire:
        yield wire


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_TIMEOUT_S", SHORT_S)
    monkeypatch.setattr(http_protocol, "BODY_CHECK_S", SHORT_S / 2)


def refused(reply: tuple[int, bytes], status: int) -> bool:
    assert reply[0] == status, reply
    return orjson.loads(reply[1])["error"]["message"].endswith(".")


async def test_the_limits_are_within_reason() -> None:
    assert (HEAD_TIMEOUT_S, BODY_CHECK_S) == (20, 15)


@pytest.mark.parametrize(
    "pieces",
    [
        [GET + b"X: " + b"x" * MAX_HEAD_BYTES + b"\r\n\r\n"],
        [GET, *[b"X: " + b"x" * 16_000 + b"\r\n"] * 5, b"\r\n"],
        [GET, b"X: ", *[b"x" * 16_000] * 30],
        [b"GET /" + b"x" * MAX_HEAD_BYTES + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"],
        [GET, *[b"X: x\r\n"] * MAX_HEADERS, b"\r\n"],
        [POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", *[b"X: " + b"x" * 16_000 + b"\r\n"] * 40],
    ],
    ids=["one", "several", "endless", "address", "many", "trailers"],
)
async def test_large_headers_are_refused(wire: Wire, pieces: list[bytes]) -> None:
    assert refused(await wire.exchange(*pieces), 431)
    assert await wire.is_closed()


async def test_headers_up_to_the_limit_are_read(wire: Wire) -> None:
    for _ in range(3):
        await wire.send(
            GET, b"X: " + b"x" * (MAX_HEAD_BYTES // 2), b"\r\n", *[b"Y: y\r\n"] * (MAX_HEADERS - 2), b"\r\n"
        )
        assert (await wire.reply())[0] == 200


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        ([], 0),
        ([b"\r\n"] * 20, 0),
        ([GET], 408),
        ([GET, *[b"X: x\r\n"] * 20], 408),
        ([POST + b"Content-Length: 100\r\n\r\n"], 408),
        ([POST + b"Content-Length: 100\r\n\r\n", *[b"x"] * 20], 408),
        ([POST + b"Transfer-Encoding: chunked\r\n\r\n", *[b"1\r\nx\r\n"] * 20], 408),
    ],
    ids=["silent", "blank lines", "half a head", "a head in drops", "no body", "a body in drops", "chunks in drops"],
)
async def test_slow_senders_are_cut_off(wire: Wire, pieces: list[bytes], status: int) -> None:
    began = time.monotonic()
    reply = await wire.exchange(*pieces, pause_s=SHORT_S / 4)
    assert refused(reply, status) if status else reply == (0, b"")
    assert await wire.is_closed()
    assert time.monotonic() - began < 20 * SHORT_S


@pytest.mark.usefixtures("hasty")
async def test_a_second_request_may_not_be_slower(wire: Wire) -> None:
    await wire.send(GET + b"\r\n")
    assert (await wire.reply())[0] == 200
    await wire.send(b"G")
    assert refused(await wire.reply(), 408)


@pytest.mark.usefixtures("hasty")
async def test_a_steady_body_may_take_its_time(wire: Wire) -> None:
    pieces = [b" " * 16_384] * 20
    length = sum(map(len, pieces)) + 2
    await wire.send(POST + b"Content-Length: %d\r\n\r\n" % length, *pieces, b"{}", pause_s=SHORT_S / 4)
    assert (await wire.reply())[0] == 201


@pytest.mark.usefixtures("hasty")
async def test_an_answer_may_take_its_time(server: Server, wire: Wire) -> None:
    """Only the request is timed, whatever comes after it."""
    run = (await server.ask(await server.begin(), "script: words=100 rate=100"))["run"]
    await wire.send(b"GET /api/runs/" + run.encode() + b"/events HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET /api")
    stream = await wire.reader.readuntil(b"run.finished")
    assert b"run.started" in stream
    await server.answered(run)


async def test_an_upgrade_is_answered_as_any_request(wire: Wire) -> None:
    upgrade = (
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    await wire.send(GET + upgrade)
    assert (await wire.reply())[0] == 200


async def test_even_more_connections_are_closed_unheard(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "MAX_CONNECTIONS", 4)
    async with serving(settings) as server, contextlib.AsyncExitStack() as stack:
        held = [await stack.enter_async_context(connected(server)) for _ in range(5)]
        async with connected(server) as late:
            assert await late.is_closed()
        await held[4].send(GET + b"\r\n")
        assert refused(await held[4].reply(), 503), "which is said"
        await held[0].send(GET + b"\r\n")
        assert (await held[0].reply())[0] == 200


async def test_further_connections_are_refused_and_known_ones_go_on(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(http_server, "MAX_CONNECTIONS", 4)
    async with serving(settings) as server, contextlib.AsyncExitStack() as stack:
        held = [await stack.enter_async_context(connected(server)) for _ in range(5)]
        async with connected(server) as late:
            assert await late.is_closed()
        for known in held[:4]:
            await known.send(GET + b"\r\n")
            assert (await known.reply())[0] == 200
        assert "Refused connections: all 4 are taken, the limit." in caplog.messages
        held[2].writer.close()
        await asyncio.sleep(0.05)
        await held[4].send(GET + b"\r\n")
        assert (await held[4].reply())[0] == 200, "it has the place that became free"


class Files:
    """The limits of open files, as the system would have them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, soft: int, hard: int) -> None:
        self.limits = (soft, hard)
        monkeypatch.setattr(resource, "getrlimit", self.get)
        monkeypatch.setattr(resource, "setrlimit", self.set)

    def get(self, _: int) -> tuple[int, int]:
        return self.limits

    def set(self, _: int, limits: tuple[int, int]) -> None:
        self.limits = limits


@pytest.mark.parametrize(("soft", "most"), [(1024, 512), (100_000, 8192), (resource.RLIM_INFINITY, 8192)])
async def test_connections_leave_files_for_the_rest(monkeypatch: pytest.MonkeyPatch, soft: int, most: int) -> None:
    Files(monkeypatch, soft, soft)
    assert http_server.max_connections() == most


@pytest.mark.parametrize(
    ("soft", "hard", "raised"),
    [
        (1024, 4096, 4096),
        (256, resource.RLIM_INFINITY, http_server.MAX_OPEN_FILES),
        (20_000, 20_000, 20_000),
        (1024, 1024, 1024),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, resource.RLIM_INFINITY),
    ],
)
async def test_the_limit_of_files_is_raised(monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, raised: int) -> None:
    files = Files(monkeypatch, soft, hard)
    http_server.raise_file_limit()
    assert files.limits == (raised, hard)


async def test_strangers_may_not_check_files_where_others_can_reach_it(settings: Settings) -> None:
    exposed = replace(settings, allowed_hosts=("ai.example.org",), api_key="k" * 24)
    headers = {"Content-Type": "application/octet-stream"}
    for opened, status in ((False, 401), (True, 422)):
        async with serving(replace(exposed, public_checks=opened)) as server:
            reply = await server.post("/api/marks/check?name=boat.png", data=b"\x89\xff\0", headers=headers)
            assert reply.status == status
            headers_with_key = {**headers, "x-api-key": "k" * 24}
            assert (await server.post("/api/marks/check", data=b"\x89\xff\0", headers=headers_with_key)).status == 422


async def test_a_check_waits_for_its_place_before_its_body_is_read(server: Server, wire: Wire) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(18):
            stack.enter_context(server.app.provenance.reserve_check())
        await wire.send(
            b"POST /api/marks/check?name=x HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"
            b"Content-Length: 1000000\r\n\r\n"
        )
        assert refused(await wire.reply(), 429), "of the body, nothing was sent"
