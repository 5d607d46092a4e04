"""How pages come: one connection for several calls, every call in the egress log, encrypted where they are by https."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import logging
import random
from collections.abc import Awaitable, Callable, Iterator

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from eclair.cli._logging import log_to_stderr
from eclair.errors import Refused
from eclair.network.client import BrokenReply, OutboundGate, ReplyTooLarge, TimedOut, Unreachable, WebClient
from eclair.network.dns import DnsCache
from eclair.network.policy import OutboundPolicy
from eclair.network.ssrf import check_url
from eclair.network.web_client import percent_encode
from eclair.settings import Settings
from tests.llm.standin import Call
from tests.network.gates import CONTEXT, Rows, house
from tests.network.gates import Names as LeadingNames
from tests.network.https import Authority, Home, serving

TEXT = random.Random(1).randbytes(100_000)


async def _page(call: Call) -> None:
    await call.reply(200, TEXT, Content_Type="text/html")


async def _fetched(home: Home, path: str = "/", host: str = "page.test") -> bytes:
    async with home.browser.get(f"https://{host}{path}", CONTEXT) as reply:
        assert reply.status == 200
        return await reply.body()


async def test_pages_of_one_server_share_a_connection(authority: Authority) -> None:
    async with serving(authority) as home:
        packed = gzip.compress(b"hello " * 1000)
        home.standin.routes = {"/": _page, "/packed": lambda call: call.reply(200, packed, Content_Encoding="gzip")}
        assert await _fetched(home) == await _fetched(home) == TEXT
        assert await _fetched(home, "/packed") == b"hello " * 1000
        assert len({call.writer for call in home.standin.calls}) == 1
        first = home.standin.calls[0]
        assert (first.method, first.path, first.headers["host"]) == ("GET", "/", "page.test")
        assert first.headers["accept-encoding"] == "gzip, deflate"
        assert first.headers["user-agent"].startswith("Eclair/")
        assert "cookie" not in first.headers
        assert home.names.asked == ["page.test"]
        assert len(home.rows.calls) == 3
        for row in home.rows.calls:
            assert (row.verdict, row.status, row.address, row.host) == ("passed", 200, "127.0.0.1", "page.test")
        assert [row.received for row in home.rows.calls] == [len(TEXT)] * 2 + [len(packed)]


async def test_each_server_has_a_connection_of_its_own(authority: Authority) -> None:
    """Names are one server's to whoever shares a certificate; each is resolved, checked and called by itself."""
    async with serving(authority) as home:
        home.standin.routes = {"/": _page}
        for host in ("page.test", "other.test", "page.test"):
            assert await _fetched(home, host=host) == TEXT
        assert len({call.writer for call in home.standin.calls}) == 2
        assert home.names.asked == ["page.test", "other.test"]


async def test_a_certificate_is_that_of_the_name(authority: Authority) -> None:
    async with serving(authority) as home:
        with pytest.raises(Unreachable, match=r"^else\.test cannot be reached: .*certificate.*\.$"):
            await _fetched(home, host="else.test")
        assert home.standin.calls == []
        (row,) = home.rows.calls
        assert (row.verdict, row.status, row.received) == ("failed", None, 0)
    async with serving(authority, trusted=False) as home:
        with pytest.raises(Unreachable, match=r"^page\.test cannot be reached: .*certificate.*\.$"):
            await _fetched(home)
        assert home.standin.calls == []


async def test_a_page_that_is_left_early_is_closed_and_the_next_comes(authority: Authority) -> None:
    closed = 0

    async def endless(call: Call) -> None:
        nonlocal closed
        try:
            await call.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                await call.send(b"10000\r\n" + b"a" * 65536 + b"\r\n")
        except ConnectionError:
            closed += 1
            raise

    async with serving(authority) as home:
        home.standin.routes = {"/": _page, "/long": endless}
        for _ in range(5):
            async with home.browser.get("https://page.test/long", CONTEXT) as reply:
                await reply.read()
        with pytest.raises(ReplyTooLarge):
            async with home.browser.get("https://page.test/long", CONTEXT, max_bytes=50_000) as reply:
                await reply.body()
        assert await _fetched(home) == TEXT
        assert closed == 6


async def test_a_call_that_is_cancelled_is_closed(authority: Authority) -> None:
    async with serving(authority) as home:
        arrived, left = asyncio.Event(), asyncio.Event()

        async def never(call: Call) -> None:
            arrived.set()
            await call.gone()
            left.set()

        home.standin.routes = {"/": _page, "/never": never}
        assert await _fetched(home) == TEXT
        task = asyncio.ensure_future(_fetched(home, "/never"))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await left.wait()
        assert await _fetched(home) == TEXT


async def test_a_cancelled_connection_leaves_no_other_call_behind(authority: Authority) -> None:
    async with serving(authority) as home:
        home.standin.routes = {"/": _page}
        calls = [asyncio.ensure_future(_fetched(home)) for _ in range(3)]
        await asyncio.sleep(0)
        calls[0].cancel()
        assert await asyncio.gather(*calls[1:]) == [TEXT] * 2
        assert await _fetched(home) == TEXT


async def test_a_redirect_is_followed(authority: Authority) -> None:
    async with serving(authority) as home:
        home.standin.routes = {
            "/": lambda call: call.reply(302, Location="https://other.test/there"),
            "/there": _page,
        }
        headers = {"X-Key": "secret"}
        async with home.browser.get("https://page.test/", CONTEXT, headers=headers) as reply:
            assert reply.url == "https://other.test/there"
            assert reply.hops == ((302, "https://other.test/there"),)
            assert reply.headers["Content-Type"] == reply.headers["content-type"] == "text/html"
            assert await reply.body() == TEXT
        first, second = (call.headers for call in home.standin.calls)
        assert first["x-key"] == "secret"
        assert "x-key" not in second
        assert [row.status for row in home.rows.calls] == [302, 200]


@pytest.fixture
def restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The loggers are as they were, afterwards."""
    monkeypatch.setattr(logging.root, "handlers", [])
    level = logging.root.level
    yield
    logging.root.setLevel(level)


@pytest.mark.usefixtures("restored")
async def test_no_key_is_in_the_log(authority: Authority, capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr(Settings(log_level="debug"))
    logging.getLogger("eclair").debug("something else")
    async with serving(authority) as home:
        home.standin.routes = {"/": _page}
        async with home.browser.get("https://page.test/", CONTEXT, headers={"X-Key": "in-nobodys-log"}) as reply:
            await reply.body()
        assert home.standin.calls[0].headers["x-key"] == "in-nobodys-log"
    said = capsys.readouterr().err
    assert "something else" in said
    assert "in-nobodys-log" not in said


async def test_what_is_posted_arrives_whole(authority: Authority) -> None:
    async with serving(authority) as home:
        home.standin.routes = {"/": lambda call: call.reply(200, b"found")}
        async with home.browser.post("https://page.test/", bytes(300_000), CONTEXT) as reply:
            assert await reply.body() == b"found"
        assert home.standin.calls[0].headers["content-length"] == "300000"
        assert home.standin.calls[0].body == bytes(300_000)
        assert home.rows.calls[0].sent >= 300_000


async def test_a_connection_that_the_server_has_closed_is_not_used_again(authority: Authority) -> None:
    async with serving(authority) as home:
        home.standin.routes["/"] = _page
        assert await _fetched(home) == TEXT
        home.standin.calls[0].writer.close()
        await home.standin.calls[0].writer.wait_closed()
        await asyncio.sleep(0.05)
        assert await _fetched(home) == TEXT
        assert len(home.rows.calls) == 2


async def test_what_a_server_did_not_take_is_sent_again_and_each_is_in_the_egress_log() -> None:
    async def hang_up(call: Call) -> None:
        if len(home.standin.calls) == 2:
            call.writer.close()
        else:
            await call.reply(200, TEXT)

    async with house() as home:
        home.standin.routes = {"/": lambda call: call.reply(200, TEXT), "/again": hang_up}
        for path in ("/", "/again"):
            async with home.browser.get(f"http://page.test{path}", CONTEXT) as reply:
                assert await reply.body() == TEXT
        assert len(home.standin.calls) == 3
        assert [row.verdict for row in home.rows.calls] == ["passed", "failed", "passed"]
        assert [row.address for row in home.rows.calls] == ["127.0.0.1"] * 3
        assert "sent again" in str(home.rows.calls[1].reason)


async def test_a_reply_without_a_body_leaves_its_connection_to_the_next() -> None:
    async with house() as home:
        home.standin.routes = {
            "/": lambda call: call.reply(302, Location="/same"),
            "/same": lambda call: call.send(b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n"),
        }
        for _ in range(2):
            async with home.browser.get("http://page.test/", CONTEXT) as reply:
                assert reply.status == 304
        assert len({call.writer for call in home.standin.calls}) == 1
        assert len(home.standin.calls) == 4


async def test_it_is_known_for_a_minute_where_a_name_leads() -> None:
    asked: list[str] = []
    now = 1000.0

    async def resolver(host: str, port: int) -> list[tuple[str, int]]:
        asked.append(host)
        return [("93.184.215.14", port)]

    names = DnsCache(resolver, clock=lambda: now)
    for later in (0, 59, 2, 59):
        now += later
        assert await names.resolve("example.org", 443) == [("93.184.215.14", 443)]
    assert asked == ["example.org"] * 2
    assert await names.resolve("example.org", 8080) == [("93.184.215.14", 8080)]
    assert await names.resolve("1.1.1.1", 80) == [("1.1.1.1", 80)]
    assert await names.resolve("::1", 80) == [("::1", 80)]
    assert asked == ["example.org"] * 3
    names.close()


async def test_what_may_have_been_taken_is_not_sent_again(authority: Authority) -> None:
    async def hang_up(call: Call) -> None:
        call.writer.close()

    async with serving(authority) as home:
        home.standin.routes = {"/": _page, "/order": hang_up}
        assert await _fetched(home) == TEXT
        with pytest.raises(Unreachable, match="Server disconnected"):
            async with home.browser.post("https://page.test/order", b"x", CONTEXT):
                pass
        assert len(home.standin.calls) == len(home.rows.calls) == 2


def test_it_is_the_same_on_the_loop_that_the_server_runs_on(authority: Authority) -> None:
    async def told() -> None:
        async with serving(authority) as home:
            home.standin.routes["/"] = _page
            assert await asyncio.gather(*(_fetched(home) for _ in range(4))) == [TEXT] * 4
            with pytest.raises(ReplyTooLarge):
                async with home.browser.get("https://page.test/", CONTEXT, max_bytes=50_000) as reply:
                    await reply.body()
            with pytest.raises(Unreachable, match="certificate"):
                await _fetched(home, host="else.test")
            assert await _fetched(home) == TEXT
            assert len(home.rows.calls) == 7
        async with house() as plain:
            plain.standin.routes["/"] = lambda call: call.reply(200, TEXT)
            for _ in range(2):
                async with plain.browser.get("http://page.test/", CONTEXT) as reply:
                    assert await reply.body() == TEXT
            assert len({call.writer for call in plain.standin.calls}) == 1

    uvloop.run(told())


async def test_a_connection_that_breaks_half_way_is_said_and_the_next_comes(authority: Authority) -> None:
    async def begin(call: Call) -> None:
        await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")
        call.writer.close()

    async with serving(authority) as home:
        home.standin.routes = {"/": _page, "/cut": begin}
        assert await _fetched(home) == TEXT
        faults = await asyncio.gather(*(_fetched(home, "/cut") for _ in range(2)), return_exceptions=True)
        assert {(type(fault), str(fault)) for fault in faults} == {
            (BrokenReply, "The reply of page.test ended early or isn't valid HTTP; try again.")
        }
        assert await _fetched(home) == TEXT
        assert [row.verdict for row in home.rows.calls] == ["passed", "failed", "failed", "passed"]


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
    *,
    scheme: str = "https",
) -> None:
    tasks: list[asyncio.Task[None] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.current_task())
        with contextlib.suppress(OSError):
            await answer(reader, writer)
            await reader.read()
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    rows = Rows()
    gate = OutboundGate(OutboundPolicy("open", (), frozenset({("127.0.0.1", port)})), rows)
    browser = WebClient(gate, resolver=LeadingNames(port), certificates=str(authority.certificates))
    try:
        async with browser.get(f"{scheme}://page.test/", CONTEXT, timeout_s=0.3, max_bytes=1 << 16) as reply:
            await reply.body()
    finally:
        await browser.close()
        server.close()
        await asyncio.gather(*filter(None, tasks))
        assert 1 <= len(rows.calls) <= 2  # twice where it hung up before its answer began
        assert all(row.verdict == "failed" for row in rows.calls[:-1])


HEADS = [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"HTTP/1.0 200\r\n\r\n"]
LINES = st.one_of(
    st.sampled_from(
        (
            b"\r\n",
            b"\r\n\r\n",
            b"0\r\n\r\n",
            b"5\r\nhello\r\n",
            b"ffff",
            b"Content-Length: 5\r\n",
            b"Content-Encoding: gzip\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\n",
            b"HTTP/1.1 204 X\r\n",
            b"HTTP/2.0 200 OK\r\n",
            b"X: \x00\r\n",
            b"ETag: a\rb\r\n",
            b"Connection: upgrade\r\nUpgrade: h2c\r\n",
        )
    ),
    st.binary(max_size=40),
)


@settings(max_examples=120)
@given(st.sampled_from(HEADS), st.lists(LINES, max_size=6).map(b"".join))
def test_whatever_is_sent_is_a_page_or_a_sentence(authority: Authority, head: bytes, sent: bytes) -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head + sent)
        await writer.drain()
        writer.close()

    async def told() -> str | None:
        try:
            await _asked_of(authority, say, scheme="http")
        except (Unreachable, BrokenReply, TimedOut, ReplyTooLarge) as fault:
            return str(fault)
        return None

    sentence = asyncio.run(told())
    assert sentence is None or (
        sentence.startswith(("page.test ", "The reply of page.test ")) and sentence.endswith(".")
    )


@given(st.text(max_size=60))
def test_a_url_is_sent_in_characters_that_may_be_sent(text: str) -> None:
    for url in (f"http://example.org/{text}", f"http://example.org/?{text}"):
        sent = percent_encode(url)
        assert sent.isascii()
        assert sent.isprintable()
        assert " " not in sent
        assert percent_encode(sent) == sent
        assert sent.startswith("http://example.org/")
    assert percent_encode("http://example.org/ü?q=%41%zz#[") == "http://example.org/%C3%BC?q=%41%25zz#["


@given(st.text(max_size=60))
def test_a_url_is_sent_as_it_was_checked(text: str) -> None:
    """The client library takes it apart once more."""
    for url in (f"http://{text}", f"http://example.org/{text}"):
        with contextlib.suppress(Refused):
            found = check_url(url)
            sent = URL(percent_encode(found.url), encoded=True)
            assert (sent.scheme, sent.raw_host, sent.port) == (found.scheme, found.host, found.port)
            assert percent_encode(found.url).removesuffix("?").endswith(sent.raw_path_qs)


def test_a_coded_url_names_the_server_that_was_checked() -> None:
    for url in ("https://xn--bcher-kva.example:8443/ü?q=ä", "http://[2606:4700:4700::1111]/a b", "http://1.1.1.1/%"):
        host = url.split("/")[2]
        assert percent_encode(url).split("/")[2] == host
        assert check_url(percent_encode(url)).host in host
