"""Pages come with HTTP/2 where a server offers it: over one connection, and each call is in the ledger."""

from __future__ import annotations

import asyncio
import gzip
import logging
import random
from collections.abc import Iterator

import h2.errors
import pytest
import uvloop
from h2.settings import SettingCodes
from hypothesis import given
from hypothesis import strategies as st

from eclair.cli._logging import log_to_stderr
from eclair.network.client import BrokenOff, TooMuch, Unreachable
from eclair.network.dns import Names
from eclair.network.ssrf import target
from eclair.network.web_client import coded
from eclair.network.web_response import Headers
from eclair.settings import Settings
from tests.llm.standin import Call
from tests.network.gates import ERRAND, house
from tests.network.https import Ask, Authority, Home, serving

TEXT = random.Random(1).randbytes(100_000)


async def _page(ask: Ask) -> None:
    await ask.reply(TEXT, ("content-type", "text/html"))


async def _fetched(home: Home, path: str = "/", host: str = "page.test") -> bytes:
    async with home.browser.get(f"https://{host}{path}", ERRAND) as reply:
        assert reply.status == 200
        return await reply.body()


async def test_pages_of_one_server_share_a_connection(authority: Authority) -> None:
    async with serving(authority) as home:
        packed = gzip.compress(b"hello " * 1000)
        home.server.routes = {
            "/": _page,
            "/packed": lambda ask: ask.reply(packed, ("Content-Encoding", "gzip")),
        }
        bodies = await asyncio.gather(*(_fetched(home) for _ in range(8)))
        assert bodies == [TEXT] * 8
        assert await _fetched(home, "/packed") == b"hello " * 1000
        assert len(home.server.talks) == 1
        first = home.server.asked[0].headers
        assert (first[":method"], first[":authority"], first[":path"]) == ("GET", "page.test", "/")
        assert first["accept-encoding"] == "gzip, deflate"
        assert first["user-agent"].startswith("Eclair/")
        assert "cookie" not in first
        assert home.names.asked == ["page.test"]
        assert len(home.rows.calls) == 9
        for row in home.rows.calls:
            assert (row.verdict, row.status, row.address, row.host) == ("passed", 200, "127.0.0.1", "page.test")
        assert [row.received for row in home.rows.calls] == [len(TEXT)] * 8 + [len(packed)]


async def test_each_server_has_a_connection_of_its_own(authority: Authority) -> None:
    """Names are one server's to whoever shares a certificate; each is resolved, checked and called by itself."""
    async with serving(authority) as home:
        home.server.routes = {"/": _page}
        for host in ("page.test", "other.test", "page.test"):
            assert await _fetched(home, host=host) == TEXT
        assert len(home.server.talks) == 2
        assert home.names.asked == ["page.test", "other.test"]


async def test_a_server_without_http2_is_read_too(authority: Authority) -> None:
    async with serving(authority, "http/1.1") as home:
        home.server.older.routes["/"] = lambda call: call.reply(200, TEXT)
        assert await _fetched(home) == await _fetched(home) == TEXT
        first, second = home.server.older.calls
        assert first.writer is second.writer
        assert first.headers["host"] == "page.test"
        assert [row.received for row in home.rows.calls] == [len(TEXT)] * 2
        assert home.server.talks == []


@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
async def test_a_certificate_is_that_of_the_name(authority: Authority, protocol: str) -> None:
    async with serving(authority, protocol) as home:
        with pytest.raises(Unreachable, match=r"^else\.test cannot be reached: .*certificate.*\.$"):
            await _fetched(home, host="else.test")
        assert (home.server.asked, home.server.older.calls) == ([], [])
        (row,) = home.rows.calls
        assert (row.verdict, row.status, row.received) == ("failed", None, 0)
    async with serving(authority, protocol, trusted=False) as home:
        with pytest.raises(Unreachable, match=r"^page\.test cannot be reached: .*certificate.*\.$"):
            await _fetched(home)
        assert (home.server.asked, home.server.older.calls) == ([], [])


async def test_a_page_that_is_left_early_is_reset_and_the_connection_goes_on(authority: Authority) -> None:
    """As often as it takes to use up all room that the connection has for what nobody has taken."""

    async def endless(ask: Ask) -> None:
        await ask.head()
        while True:
            await ask.data(bytes(1 << 18))

    async with serving(authority) as home:
        home.server.routes = {"/": _page, "/long": endless}
        for _ in range(30):
            async with home.browser.get("https://page.test/long", ERRAND) as reply:
                await reply.read()
        with pytest.raises(TooMuch):
            async with home.browser.get("https://page.test/long", ERRAND, limit=50_000) as reply:
                await reply.body()
        assert await _fetched(home) == TEXT
        assert len(home.server.talks) == 1
        assert {code for _, code in home.server.resets} == {h2.errors.ErrorCodes.CANCEL}
        assert len({stream for stream, _ in home.server.resets}) == len(home.server.resets) == 31


async def test_a_call_that_is_cancelled_is_reset(authority: Authority) -> None:
    async with serving(authority) as home:
        arrived = asyncio.Event()

        async def never(ask: Ask) -> None:
            arrived.set()
            await asyncio.Event().wait()

        home.server.routes = {"/": _page, "/never": never}
        assert await _fetched(home) == TEXT
        task = asyncio.ensure_future(_fetched(home, "/never"))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await _fetched(home) == TEXT
        assert [code for _, code in home.server.resets] == [h2.errors.ErrorCodes.CANCEL]
        assert len(home.server.talks) == 1


async def test_a_cancelled_connection_leaves_no_other_call_behind(authority: Authority) -> None:
    async with serving(authority) as home:
        home.server.routes = {"/": _page}
        calls = [asyncio.ensure_future(_fetched(home)) for _ in range(3)]
        await asyncio.sleep(0)
        calls[0].cancel()
        assert await asyncio.gather(*calls[1:]) == [TEXT] * 2
        assert await _fetched(home) == TEXT
        assert len(home.server.talks) <= 2


async def test_no_more_calls_at_once_than_the_server_takes(authority: Authority) -> None:
    async with serving(authority, settings={SettingCodes.MAX_CONCURRENT_STREAMS: 2}) as home:
        at_once: list[int] = [0, 0]

        async def slow(ask: Ask) -> None:
            at_once[0] += 1
            at_once[1] = max(at_once)
            await asyncio.sleep(0.01)
            at_once[0] -= 1
            await ask.reply(b"x")

        home.server.routes = {"/": slow}
        assert await asyncio.gather(*(_fetched(home) for _ in range(6))) == [b"x"] * 6
        assert at_once[1] <= 2
        assert len(home.server.talks) == 1


async def test_a_redirect_over_http2(authority: Authority) -> None:
    async with serving(authority) as home:
        home.server.routes = {
            "/": lambda ask: ask.head(("Location", "https://other.test/there"), status="302", end=True),
            "/there": _page,
        }
        headers = {"X-Key": "secret"}
        async with home.browser.get("https://page.test/", ERRAND, headers=headers) as reply:
            assert reply.url == "https://other.test/there"
            assert reply.hops == ((302, "https://other.test/there"),)
            assert reply.headers["Content-Type"] == reply.headers["content-type"] == "text/html"
            assert await reply.body() == TEXT
        first, second = (ask.headers for ask in home.server.asked)
        assert first["x-key"] == "secret"
        assert "x-key" not in second
        assert [row.status for row in home.rows.calls] == [302, 200]


@pytest.fixture
def restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The loggers are as they were, afterwards."""
    monkeypatch.setattr(logging.root, "handlers", [])
    levels = {name: logging.getLogger(name).level for name in ("", "httpcore2", "hpack")}
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.usefixtures("restored")
async def test_no_key_is_in_the_log(authority: Authority, capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr(Settings(log_level="debug"))
    logging.getLogger("eclair").debug("something else")
    async with serving(authority) as home:
        home.server.routes = {"/": _page}
        async with home.browser.get("https://page.test/", ERRAND, headers={"X-Key": "in-nobodys-log"}) as reply:
            await reply.body()
        assert home.server.asked[0].headers["x-key"] == "in-nobodys-log"
    said = capsys.readouterr().err
    assert "something else" in said
    assert "in-nobodys-log" not in said


async def test_what_is_posted_arrives_whole(authority: Authority) -> None:
    async with serving(authority) as home:
        home.server.routes = {"/": lambda ask: ask.reply(b"found")}
        async with home.browser.post("https://page.test/", bytes(300_000), ERRAND) as reply:
            assert await reply.body() == b"found"
        assert home.server.asked[0].headers["content-length"] == "300000"
        assert home.rows.calls[0].sent >= 300_000


async def test_a_connection_that_the_server_has_closed_is_not_used_again(authority: Authority) -> None:
    for protocol in ("h2", "http/1.1"):
        async with serving(authority, protocol) as home:
            home.server.routes = {"/": _page}
            home.server.older.routes["/"] = lambda call: call.reply(200, TEXT)
            assert await _fetched(home) == TEXT
            for talk in (*home.server.talks, *home.server.older.calls):
                talk.writer.close()
                await talk.writer.wait_closed()
            await asyncio.sleep(0.05)
            assert await _fetched(home) == TEXT
            assert len(home.rows.calls) == 2


async def test_what_a_server_did_not_take_is_sent_again_and_each_is_in_the_ledger(authority: Authority) -> None:
    """It says goodbye while a call is on its way (GOAWAY), or hangs up."""

    async def goodbye(ask: Ask) -> None:
        if ask.talk is home.server.talks[0]:
            ask.talk.state.close_connection(last_stream_id=1)
            await ask.talk.flush()
        else:
            await _page(ask)

    async def hang_up(ask: Ask) -> None:
        if ask.talk is home.server.talks[0]:
            ask.talk.close()
        else:
            await _page(ask)

    for answer in (goodbye, hang_up):
        async with serving(authority) as home:
            home.server.routes = {"/": _page, "/again": answer}
            assert await _fetched(home) == await _fetched(home, "/again") == TEXT
            assert len(home.server.asked) == 3
            assert [row.verdict for row in home.rows.calls] == ["passed", "failed", "passed"]
            assert [row.address for row in home.rows.calls] == ["127.0.0.1"] * 3
            assert "sent again" in str(home.rows.calls[1].reason)


async def test_what_a_server_did_not_take_by_http1_is_sent_again_too() -> None:
    async def hang_up(call: Call) -> None:
        if len(home.standin.calls) == 2:
            call.writer.close()
        else:
            await call.reply(200, TEXT)

    async with house() as home:
        home.standin.routes = {"/": lambda call: call.reply(200, TEXT), "/again": hang_up}
        for path in ("/", "/again"):
            async with home.browser.get(f"http://page.test{path}", ERRAND) as reply:
                assert await reply.body() == TEXT
        assert len(home.standin.calls) == 3
        assert [row.verdict for row in home.rows.calls] == ["passed", "failed", "passed"]


async def test_a_reply_without_a_body_leaves_its_connection_to_the_next() -> None:
    async with house() as home:
        home.standin.routes = {
            "/": lambda call: call.reply(302, Location="/same"),
            "/same": lambda call: call.send(b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n"),
        }
        for _ in range(2):
            async with home.browser.get("http://page.test/", ERRAND) as reply:
                assert reply.status == 304
        assert len({call.writer for call in home.standin.calls}) == 1
        assert len(home.standin.calls) == 4


async def test_it_is_known_for_a_minute_where_a_name_leads() -> None:
    asked: list[str] = []
    now = 1000.0

    async def resolver(host: str, port: int) -> list[tuple[str, int]]:
        asked.append(host)
        return [("93.184.215.14", port)]

    names = Names(resolver, clock=lambda: now)
    for later in (0, 59, 2, 59):
        now += later
        assert await names.addresses("example.org", 443) == [("93.184.215.14", 443)]
    assert asked == ["example.org"] * 2
    assert await names.addresses("example.org", 8080) == [("93.184.215.14", 8080)]
    assert await names.addresses("1.1.1.1", 80) == [("1.1.1.1", 80)]
    assert await names.addresses("::1", 80) == [("::1", 80)]
    assert asked == ["example.org"] * 3
    names.close()


async def test_what_may_have_been_taken_is_not_sent_again(authority: Authority) -> None:
    async def hang_up(ask: Ask) -> None:
        ask.talk.close()

    async with serving(authority) as home:
        home.server.routes = {"/": _page, "/order": hang_up}
        assert await _fetched(home) == TEXT
        with pytest.raises(Unreachable, match="Server disconnected"):
            async with home.browser.post("https://page.test/order", b"x", ERRAND):
                pass
        assert len(home.server.asked) == len(home.rows.calls) == 2


def test_it_is_the_same_on_the_loop_that_the_server_runs_on(authority: Authority) -> None:
    async def told() -> None:
        for protocol in ("h2", "http/1.1"):
            async with serving(authority, protocol) as home:
                home.server.routes = {"/": _page}
                home.server.older.routes["/"] = lambda call: call.reply(200, TEXT)
                assert await asyncio.gather(*(_fetched(home) for _ in range(4))) == [TEXT] * 4
                with pytest.raises(TooMuch):
                    async with home.browser.get("https://page.test/", ERRAND, limit=50_000) as reply:
                        await reply.body()
                with pytest.raises(Unreachable, match="certificate"):
                    await _fetched(home, host="else.test")
                assert await _fetched(home) == TEXT
                assert len(home.rows.calls) == 7
        async with house() as plain:
            plain.standin.routes["/"] = lambda call: call.reply(200, TEXT)
            for _ in range(2):
                async with plain.browser.get("http://page.test/", ERRAND) as reply:
                    assert await reply.body() == TEXT
            assert len({call.writer for call in plain.standin.calls}) == 1

    uvloop.run(told())


async def test_a_connection_that_breaks_breaks_each_call_on_it(authority: Authority) -> None:
    async with serving(authority) as home:
        begun = asyncio.Barrier(2)

        async def begin(ask: Ask) -> None:
            await ask.head()
            await ask.data(b"x")
            await begun.wait()
            ask.talk.close()

        home.server.routes = {"/": _page, "/cut": begin}
        assert await _fetched(home) == TEXT
        faults = await asyncio.gather(*(_fetched(home, "/cut") for _ in range(2)), return_exceptions=True)
        assert {(type(fault), str(fault)) for fault in faults} == {
            (BrokenOff, "What page.test sends stops half way or is no HTTP; try again.")
        }
        assert await _fetched(home) == TEXT
        assert [row.verdict for row in home.rows.calls] == ["passed", "failed", "failed", "passed"]


@given(st.text(max_size=60))
def test_a_url_is_sent_in_characters_that_may_be_sent(text: str) -> None:
    for url in (f"http://example.org/{text}", f"http://example.org/?{text}"):
        sent = coded(url)
        assert sent.isascii()
        assert sent.isprintable()
        assert " " not in sent
        assert coded(sent) == sent
        assert sent.startswith("http://example.org/")
    assert coded("http://example.org/ü?q=%41%zz#[") == "http://example.org/%C3%BC?q=%41%25zz#["


def test_a_coded_url_names_the_server_that_was_checked() -> None:
    for url in ("https://xn--bcher-kva.example:8443/ü?q=ä", "http://[2606:4700:4700::1111]/a b", "http://1.1.1.1/%"):
        host = url.split("/")[2]
        assert coded(url).split("/")[2] == host
        assert target(coded(url)).host in host


@given(st.lists(st.tuples(st.binary(max_size=8), st.binary(max_size=8)), max_size=6))
def test_headers_are_found_in_any_case_and_the_first_counts(rows: list[tuple[bytes, bytes]]) -> None:
    headers = Headers([(b"X-Name", b"first"), *rows, (b"x-name", b"last")])
    assert headers["x-NAME"] == headers.get("X-Name") == "first"
    assert "X-NAME" in headers
    assert set(headers) == {name.lower() for name in headers}
    assert len(headers) == len(list(headers))
    assert all(headers[name] == value for name, value in headers.items())
