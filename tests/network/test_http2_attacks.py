"""What a server may try that has agreed on HTTP/2: floods, bombs, heads that are none, and any bytes at all. None holds
us up, none gets through, and each leaves one sentence and a row."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import ssl
import struct
import tracemalloc
from collections.abc import Awaitable, Callable

import h2.settings
import pytest
from hyperframe.frame import Frame, GoAwayFrame, HeadersFrame, RstStreamFrame
from hypothesis import given, settings
from hypothesis import strategies as st

from eclair.network.client import BrokenOff, Browser, Door, TimedOut, TooMuch, Unreachable
from eclair.network.policy import Rules
from tests.network.gates import ERRAND, Names, Rows
from tests.network.https import Ask, Authority, serving

DATA, HEADERS, SETTINGS, PUSH, PING, WINDOW, CONTINUATION = 0, 1, 4, 5, 6, 8, 9
OK = b"\x88"  # :status 200, packed


def _frame(kind: int, stream: int, payload: bytes = b"", flags: int = 0) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _said(*frames: bytes | Frame, end: bool = False) -> Callable[[Ask], Awaitable[None]]:
    async def answer(ask: Ask) -> None:
        await ask.say(b"".join(frame if isinstance(frame, bytes) else frame.serialize() for frame in frames))
        if end:
            ask.talk.close()

    return answer


def _flood(*frames: bytes) -> Callable[[Ask], Awaitable[None]]:
    """The first once, the others for as long as anybody takes them."""

    async def answer(ask: Ask) -> None:
        await ask.say(frames[0])
        while True:
            for frame in frames[1:]:
                await ask.say(frame * max(1, (32 << 10) // len(frame)))
                await asyncio.sleep(0)

    return answer


def _headed(*headers: tuple[str, str], end: bool = False) -> Callable[[Ask], Awaitable[None]]:
    async def answer(ask: Ask) -> None:
        ask.talk.state.send_headers(ask.stream, headers, end_stream=True)
        await ask.talk.flush()

    return answer


async def _silent(ask: Ask) -> None:
    await asyncio.Event().wait()


async def _slow(ask: Ask) -> None:
    await ask.head()
    while True:
        await ask.data(b"a")
        await asyncio.sleep(0.01)


async def _endless(ask: Ask) -> None:
    await ask.head()
    while True:
        await ask.data(b"a" * 65536)


async def _huge_header(ask: Ask) -> None:
    await ask.say(_frame(HEADERS, ask.stream, OK + b"\x00\x01x\x7f" + b"\xff" * 4 + b"\x7f" + b"a" * 16000))
    for _ in range(1 << 16):  # a GiB, if anybody took it
        await ask.say(_frame(CONTINUATION, ask.stream, b"a" * 16384))


async def _promised(ask: Ask) -> None:
    await ask.say(_frame(PUSH, ask.stream, b"\x00\x00\x00\x02" + b"\x82\x84\x87" + b"\x41\x01a", flags=4))


PACKED = gzip.compress(bytes(64 << 20))
GOODBYE = GoAwayFrame(0, last_stream_id=1)
# "x: aaaa…" goes into the table once, and is then named again and again by one byte each.
BOMB = OK + b"\x40\x01x\x7f\x81\x1e" + b"a" * 4000 + b"\xbe" * 12000
SERVERS: list[tuple[str, Callable[[Ask], Awaitable[None]], type[Exception]]] = [
    ("silence", _silent, TimedOut),
    ("a drop at a time", _slow, TimedOut),
    ("an endless stream", _endless, TooMuch),
    ("a reset before the head", _said(RstStreamFrame(1, error_code=2)), Unreachable),
    ("a reset after the head", _said(_frame(HEADERS, 1, OK, 4), RstStreamFrame(1, error_code=2)), BrokenOff),
    ("goodbye before the head", _said(GOODBYE), Unreachable),
    ("goodbye and gone", _said(GOODBYE, end=True), Unreachable),
    ("goodbye that has taken nothing", _said(GoAwayFrame(0, last_stream_id=0)), Unreachable),
    ("goodbye after the head", _said(_frame(HEADERS, 1, OK, 4), GOODBYE), BrokenOff),
    ("gone before the head", _said(b"", end=True), Unreachable),
    ("gone after the head", _said(_frame(HEADERS, 1, OK, 4), end=True), BrokenOff),
    ("gone within the head", _said(_frame(HEADERS, 1, OK), end=True), Unreachable),
    ("gone within a frame", _said(_frame(HEADERS, 1, OK, 4), _frame(DATA, 1, b"abc")[:-1], end=True), BrokenOff),
    ("HTTP/1.1", _said(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"), TimedOut),  # the head of a long frame
    ("HTTP/1.1 and gone", _said(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", end=True), Unreachable),
    ("zeros", _said(bytes(4096)), BrokenOff),
    ("a body without a head", _said(_frame(DATA, 1, b"abc", 1)), BrokenOff),
    ("a head that cannot be unpacked", _said(_frame(HEADERS, 1, b"\xff" * 64, 4)), BrokenOff),
    ("a head without a status", _headed(("x", "y")), BrokenOff),
    ("two statuses", _headed((":status", "200"), (":status", "404")), BrokenOff),
    ("a status that is none", _headed((":status", "2oo")), BrokenOff),
    ("a status of a thousand", _said(_frame(HEADERS, 1, b"\x08\x041000", 5)), BrokenOff),
    ("a header of two lines", _headed((":status", "200"), ("etag", "a\r\nX-Evil: b")), BrokenOff),
    ("a header with a zero", _headed((":status", "200"), ("etag", "a\x00b")), BrokenOff),
    ("a header of a GiB", _huge_header, BrokenOff),
    ("a head that unpacks to 48 MB", _said(_frame(HEADERS, 1, BOMB, 4)), BrokenOff),
    ("a head in pieces without an end", _flood(_frame(HEADERS, 1, OK), _frame(CONTINUATION, 1)), BrokenOff),
    ("heads before the head", _flood(b"", _frame(HEADERS, 1, b"\x08\x03103", 4)), TimedOut),
    ("a page that nobody asked for", _promised, BrokenOff),
    ("an answer to nobody", _said(_frame(HEADERS, 7, OK, 5)), BrokenOff),
    (
        "more than was announced",
        _said(_frame(HEADERS, 1, OK + b"\x0f\x0d\x011", 4), _frame(DATA, 1, b"ab", 1)),
        BrokenOff,
    ),
    (
        "less than was announced",
        _said(_frame(HEADERS, 1, OK + b"\x0f\x0d\x013", 4), _frame(DATA, 1, b"ab", 1)),
        BrokenOff,
    ),
    ("a frame beyond the limit", _said(_frame(HEADERS, 1, OK, 4), _frame(DATA, 1, bytes(1 << 20))), BrokenOff),
    ("more than there is room for", _flood(_frame(HEADERS, 1, OK, 4), _frame(DATA, 1, bytes(16384))), TooMuch),
    ("frames without content", _flood(_frame(HEADERS, 1, OK, 4), _frame(DATA, 1)), TimedOut),
    ("frames of padding", _flood(_frame(HEADERS, 1, OK, 4), _frame(DATA, 1, b"\xff" + bytes(255), 8)), TimedOut),
    ("pings", _flood(_frame(HEADERS, 1, OK, 4), _frame(PING, 0, bytes(8))), TimedOut),
    ("settings", _flood(b"", _frame(SETTINGS, 0)), TimedOut),
    (
        "settings that change",
        _flood(b"", _frame(SETTINGS, 0, b"\x00\x03\x00\x00\x00\x01"), _frame(SETTINGS, 0, b"\x00\x03\x00\x00\x00\x64")),
        TimedOut,
    ),
    ("settings that cannot be", _said(_frame(SETTINGS, 0, b"\x00\x04\xff\xff\xff\xff")), BrokenOff),
    ("room beyond all measure", _flood(b"", _frame(WINDOW, 0, b"\x7f\xff\xff\xff")), BrokenOff),
    ("a little room, again and again", _flood(b"", _frame(WINDOW, 1, b"\x00\x00\x00\x01")), TimedOut),
    ("frames of no known kind", _flood(b"", _frame(0xEE, 1, bytes(64))), TimedOut),
    ("a gzip bomb", lambda ask: ask.reply(PACKED, ("content-encoding", "gzip")), TooMuch),
    ("itself, again and again", lambda ask: ask.head(("location", "/"), status="302", end=True), BrokenOff),
]


@pytest.mark.parametrize(("answer", "fault"), [row[1:] for row in SERVERS], ids=[row[0] for row in SERVERS])
async def test_no_server_holds_us_up(
    authority: Authority, answer: Callable[[Ask], Awaitable[None]], fault: type[Exception]
) -> None:
    async with serving(authority) as home:
        home.server.routes = {"/": answer, "/well": lambda ask: ask.reply(b"well")}
        tracemalloc.start()
        try:
            with pytest.raises(fault) as raised:
                async with home.browser.get("https://page.test/", ERRAND, within=0.5, limit=1 << 20) as reply:
                    await reply.body()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 48 << 20
        assert str(raised.value).startswith(("page.test ", "What page.test sends "))
        assert str(raised.value).endswith(".")
        last = home.rows.calls[-1]
        assert last.verdict == ("passed" if "redirects" in str(raised.value) else "failed")
        assert last.reason is None or last.reason == str(raised.value)
        assert len(home.rows.calls) == len(home.server.asked)
        async with home.browser.get("https://other.test/well", ERRAND) as reply:
            assert await reply.body() == b"well"


async def test_a_server_that_makes_no_room_keeps_no_body(authority: Authority) -> None:
    room = {h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0}
    async with serving(authority, settings=room) as home:
        home.server.routes = {"/": _silent}
        with pytest.raises(TimedOut, match=r"^page\.test was not done within 0\.3 seconds\.$"):
            async with home.browser.post("https://page.test/", bytes(200_000), ERRAND, within=0.3):
                pass
        assert home.rows.calls[0].verdict == "failed"


async def test_a_call_that_waits_is_not_held_up_by_one_that_is_flooded(authority: Authority) -> None:
    """What comes for a page that nobody reads has a bound, whatever the frames; the other page is told."""
    async with serving(authority) as home:
        home.server.routes = {
            "/": lambda ask: ask.head(),
            "/flood": _flood(b"", _frame(DATA, 1)),
        }
        async with home.browser.get("https://page.test/", ERRAND, within=60) as unread:
            tracemalloc.start()
            try:
                with pytest.raises(BrokenOff, match="no HTTP that can be read"):
                    async with home.browser.get("https://page.test/flood", ERRAND, within=60):
                        pass
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            assert peak < 48 << 20
            with pytest.raises(BrokenOff):
                await unread.body()


async def test_who_speaks_before_the_encryption_is_not_heard(authority: Authority) -> None:
    """Whatever a machine on the way slips in before the connection is encrypted."""

    async def slip_in(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")

    with pytest.raises(Unreachable, match=r"^page\.test cannot be reached: .*\.$"):
        await _asked_of(authority, slip_in)


async def test_encryption_that_is_never_agreed_on_ends(authority: Authority) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    with pytest.raises(TimedOut):
        await _asked_of(authority, silent)


async def _asked_of(
    authority: Authority,
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    context: ssl.SSLContext | None = None,
) -> None:
    tasks: list[asyncio.Task[None] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.current_task())
        with contextlib.suppress(OSError):
            await answer(reader, writer)
            await reader.read()
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    rows = Rows()
    door = Door(Rules("open", (), frozenset({("127.0.0.1", port)})), rows)
    browser = Browser(door, resolver=Names(port), certificates=str(authority.certificates))
    try:
        async with browser.get("https://page.test/", ERRAND, within=0.3, limit=1 << 16) as reply:
            await reply.body()
    finally:
        await browser.close()
        server.close()
        await asyncio.gather(*filter(None, tasks))
        assert len(rows.calls) == 1


FRAMES = st.builds(
    _frame,
    st.integers(0, 11),
    st.sampled_from([0, 1, 1, 1, 2, 3]),
    st.one_of(st.binary(max_size=40), st.just(OK), st.binary(min_size=4, max_size=4)),
    st.integers(0, 255),
)
HEAD = HeadersFrame(1, data=OK, flags=["END_HEADERS"]).serialize()


@settings(max_examples=120)
@given(st.booleans(), st.one_of(st.lists(FRAMES, max_size=6).map(b"".join), st.binary(max_size=80)))
def test_whatever_is_sent_is_a_page_or_a_sentence(authority: Authority, head: bool, sent: bytes) -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(_frame(SETTINGS, 0) + (HEAD if head else b"") + sent)
        await writer.drain()
        writer.close()

    async def told() -> str | None:
        try:
            await _asked_of(authority, say, authority.context("h2"))
        except (Unreachable, BrokenOff, TimedOut, TooMuch) as fault:
            return str(fault)
        return None

    sentence = asyncio.run(told())
    assert sentence is None or (sentence.startswith(("page.test ", "What page.test sends ")) and sentence.endswith("."))
